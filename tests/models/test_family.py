"""What a family says of itself, and what its models can."""

import json
from dataclasses import asdict, dataclass, replace

import pytest

from affectory.data.inputs import FRAMES, Preparation, fit_inputs
from affectory.features import find_feature_set
from affectory.layers.imagenet import BACKBONES
from affectory.models import FAMILIES, audio_cnn, face_sequence, mmin
from affectory.models.family import Family, Imagines, LearnsFrom, Schedule
from tests.fixtures.datasets import small_dataset

SCHEDULE = Schedule(constant_epochs=1, decay_epochs=0, batch_size=2, learning_rate=1.0)


@dataclass(frozen=True, kw_only=True)
class Toy:
    schedule: Schedule = SCHEDULE
    preparation: Preparation = FRAMES
    teacher: str | None = None
    widths: tuple[int, ...] = (2, 1)


TOY = Family(
    name="toy",
    description="A toy.",
    config=Toy,
    presets={"default": {"large": Toy(widths=(8,))}, "debug": {"large": Toy()}},
    build=mmin.build,
    variants=lambda preset: {**TOY.experiments(preset), "small": Toy(widths=())},
)


def test_experiments_are_those_of_the_preset_and_a_copy_of_them():
    assert TOY.experiments() == {"large": Toy(widths=(8,))} and TOY.experiments("debug") == {"large": Toy()}
    TOY.experiments().clear()
    assert TOY.experiments()


def test_studies_train_the_variants_too_where_there_are_some():
    assert list(TOY.study_experiments("debug")) == ["large", "small"]
    assert replace(TOY, variants=None).study_experiments("debug") == TOY.experiments("debug")


@pytest.mark.parametrize("method", ["experiments", "study_experiments"])
def test_an_unknown_preset_is_refused_with_the_known_ones(method: str):
    with pytest.raises(ValueError, match="preset 'huge' of family toy: expected one of default, debug"):
        getattr(TOY, method)("huge")


def test_a_config_is_found_by_its_name_among_all_that_is_trained():
    assert TOY.config_of("small", "debug") == Toy(widths=()) and TOY.config_of("large") == Toy(widths=(8,))
    with pytest.raises(ValueError, match="'medium' of family toy, preset default: expected one of large, small"):
        TOY.config_of("medium")


def test_a_config_survives_json():
    config = Toy(preparation=Preparation(statistics=True), widths=(3, 4))
    assert TOY.config_from(json.loads(json.dumps(asdict(config)))) == config


def test_every_family_has_its_own_name_a_description_and_experiments_that_studies_train_too():
    for name, family in FAMILIES.items():
        assert family.name == name and family.description.endswith(".")
        for preset in family.presets:
            experiments, studied = family.experiments(preset), family.study_experiments(preset)
            assert experiments.items() <= studied.items()
            assert all(type(config) is family.config for config in studied.values())
            assert all(family.config_of(experiment, preset) == config for experiment, config in studied.items())


def test_a_deployed_family_with_a_teacher_describes_it():
    for family in FAMILIES.values():
        teachers = {config.teacher for config in family.experiments().values()} - {None}
        assert bool(family.teacher_description) == bool(family.deployed and teachers)


def test_what_a_family_reads_are_feature_sets_and_its_weights_those_of_networks():
    for family in FAMILIES.values():
        for preset in family.presets:
            for config in family.study_experiments(preset).values():
                assert all(find_feature_set(name).name == name for name in family.reads(config))
                assert set(family.weights(config)) <= set(BACKBONES)


def test_only_rows_that_start_from_published_weights_name_them():
    sound, faces = audio_cnn.FAMILY, face_sequence.FAMILY
    assert sound.weights(sound.config_of("alexnet_pretrained")) == ("alexnet",)
    assert sound.weights(sound.config_of("alexnet")) == ()
    fine_tuned, frozen = faces.config_of("resnet50_gru_fine_tuned"), faces.config_of("vgg16_lstm")
    assert (faces.reads(fine_tuned), faces.weights(fine_tuned)) == (("faces",), ("resnet50",))
    assert (faces.reads(frozen), faces.weights(frozen)) == (("faces:vgg16",), ())
    assert faces.weights(faces.config_of("resnet50_gru_fine_tuned_random")) == ()


def test_who_learns_from_a_teacher_and_who_imagines_is_asked_of_the_model():
    dataset = small_dataset(8)
    abilities = {}
    for name, config in mmin.FAMILY.experiments("debug").items():
        inputs = fit_inputs(dataset, dataset.rows("train"), config.preparation)
        model = mmin.FAMILY.build(config, inputs, dataset.classes, seed=0)
        abilities[name] = (isinstance(model, LearnsFrom), isinstance(model, Imagines))
    taught = (True, False)
    assert abilities == {
        "full_baseline": taught,
        "augmented_baseline": taught,
        "mmin": (True, True),
        "best": (False, False),
    }
