"""What a study trains: the rows of the published tables, each once, their teachers before them, and their places."""

from dataclasses import replace
from itertools import combinations

import pytest

from affectory.data.conditions import TRAINING_CONDITIONS
from affectory.data.dataset import Dataset
from affectory.models import FAMILIES
from affectory.results.names import SPEAKER_NORMALISED
from affectory.studies import STUDIES
from affectory.studies.omg_study import SLIDES_NUMBERS
from affectory.studies.plan import Place, Training, asked_for, places_of, trainings
from affectory.studies.study import LINEAR_SVM
from affectory.vocabulary import Condition, Modality, conditions
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
CORPORA = [modalities for many in (1, 2, 3) for modalities in combinations(Modality, many)]
METHODS = {"utterance", "bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn", "mmgcn"}
FUSIONS = {"early", "late", "gated", "mfn", "mult"}
PARTIAL = {f"mmgcn_partial_{keys}" for keys in ("a", "v", "t", "av", "at", "vt")}
CONTROLS = {f"{name}_{what}" for name in ("mmgcn", "bc_lstm") for what in ("shuffled_order", "strangers")}
DATASET = small_dataset(16)


def by_name(study: str, preset: str = "default", modalities=tuple(Modality), **options: str) -> dict[str, Training]:
    planned = trainings(STUDIES[study], preset, modalities, options)
    names = [training.name for training in planned]
    assert len(set(names)) == len(names)
    return {training.name: training for training in planned}


def presets_of(name: str) -> list[str]:
    """Of the study's family, those that every family of its rows has or takes another for."""
    study = STUDIES[name]
    families = {study.family, *(row.family for row in study.rows)} - {LINEAR_SVM}
    presets = dict.fromkeys([*FAMILIES[study.family].presets, *study.presets.get(study.family, {})])
    return [
        preset
        for preset in presets
        if all(study.presets.get(family, {}).get(preset, preset) in FAMILIES[family].presets for family in families)
    ]


def test_every_preset_can_be_planned_on_every_corpus_with_teachers_before_their_students():
    for study, family in (("mmin_study", "mmin"), ("mmgcn_study", "mmgcn")):
        assert set(presets_of(study)) == set(FAMILIES[family].presets)
    assert set(presets_of("omg_study")) == {"default", "quick", "paper", "debug"}
    for study in STUDIES:
        for preset in presets_of(study):
            for modalities in CORPORA:
                planned, seen = by_name(study, preset, modalities), {""}
                assert planned, (study, preset, modalities)
                for name, training in planned.items():
                    assert training.teacher in seen, (study, preset, modalities, name)
                    seen.add(name)
                    assert not training.only or training.only <= set(modalities)


def test_no_experiment_that_a_family_offers_to_studies_is_without_a_row_in_one_of_them():
    trained: dict[tuple[str, str], list] = {}  # (family, its preset) -> configs
    for study in STUDIES.values():
        for preset in presets_of(study.name):
            for training in by_name(study.name, preset).values():
                of_family = study.presets.get(training.family, {}).get(preset, preset)
                if training.is_network:
                    trained.setdefault((training.family, of_family), []).append(training.config)
    for (family, preset), configs in trained.items():
        offered = FAMILIES[family].study_experiments(preset)
        assert [name for name, config in offered.items() if config not in configs] == [], (family, preset)


def test_no_row_is_without_a_training_in_some_preset():
    for study in STUDIES.values():
        trained = {training.experiment for p in presets_of(study.name) for training in by_name(study.name, p).values()}
        assert [row.name for row in study.rows if row.name not in trained] == [], study.name


def test_of_mmin_there_is_a_baseline_a_condition_and_a_translation_a_missing_one():
    for modalities, partial, translations in ((Modality, 7, 6), ([A, V], 3, 2), ([T], 1, 0)):
        planned = by_name("mmin_study", "debug", modalities).values()
        assert sum(training.experiment == "partial_baseline" for training in planned) == partial
        assert sum(training.experiment == "mctn" for training in planned) == translations
    bound = [name for name, training in by_name("mmin_study", "debug", [V, A]).items() if training.only]
    assert bound == [*(f"partial_baseline_{keys}" for keys in ("a", "v", "av")), "mctn_a", "mctn_v"]
    for training in by_name("mmin_study").values():
        if training.experiment == "mctn":
            assert training.only == Condition.parse(",".join(training.config.condition)) and training.row.reads_all
        assert training.experiment != "partial_baseline" or not training.row.reads_all
        assert training.row.swept == (training.only is None and training.is_network)


def test_the_controls_and_ablations_of_mmin_are_trained_and_what_is_registered_in_the_default_table_too():
    names = set(by_name("mmin_study", "debug"))
    assert {"full_baseline", "augmented_baseline", "augmented_pretrained", "mmin", "best", "mmin_ae"} < names
    assert {"mmin_no_cycle", "mmin_no_imagination", "attention_fusion", "attention_fusion_augmented"} < names
    assert LINEAR_SVM in names and by_name("mmin_study", "best") == by_name("mmin_study", "default")


def test_one_option_trains_every_free_row_of_mmin_under_the_same_conditions():
    usual = by_name("mmin_study", "debug")
    for kind in TRAINING_CONDITIONS:
        changed = by_name("mmin_study", "debug", train_under=kind)
        assert list(changed) == list(usual)
        for name, before in usual.items():
            if before.only or not before.is_network or name == "full_baseline":  # the last one teaches
                assert changed[name] == before
            else:
                assert changed[name].config == replace(before.config, training_conditions=kind)


def test_every_published_table_of_conversations_has_its_rows_all_of_them_of_dialogues_and_watched():
    planned = by_name("mmgcn_study")
    assert set(planned) >= METHODS | FUSIONS | PARTIAL | CONTROLS
    assert {"mmgcn_no_speaker", "mmgcn_causal", "mmgcn_shuffled_labels"} <= set(planned)
    for training in planned.values():
        assert training.row.watched and not training.row.swept and training.config.schedule.select == "weighted_f1"
        assert FAMILIES[training.family].of_dialogues
        assert (training.only is not None) is (training.experiment == "mmgcn_partial")
        assert training.row.reads_all is (training.only is None)
    assert conditions(Modality)[-1] not in {training.only for training in planned.values()}
    alone = set(by_name("mmgcn_study", modalities=[T]))
    assert not alone & {*FUSIONS, *PARTIAL, "mmgcn_augmented"} and alone >= METHODS | CONTROLS
    assert "mmgcn_causal" not in by_name("mmgcn_study", "causal")  # it is every row


def test_every_depth_is_trained_once():
    for preset, own in {"default": 4, "quick": 2, "paper": 4, "official_code": 64}.items():
        planned = by_name("mmgcn_study", preset)
        depths = [t.config.graph_layers for name, t in planned.items() if name.startswith("mmgcn_layers_")]
        assert planned["mmgcn"].config.graph_layers == own and own not in depths
        assert {1, 2, 4, 8, 16, 32} <= {own, *depths}


def test_the_slides_tables_of_sound_and_faces_are_trained_and_each_reads_its_own_features():
    for preset in ("default", "paper"):
        assert set(SLIDES_NUMBERS) <= set(by_name("omg_study", preset))
    planned = by_name("omg_study")
    assert planned["vgg16_pretrained"].feature_sets == ("logmel",)
    assert planned["vgg16_pretrained"].weights == ("vgg16",) and planned["vgg16"].weights == ()
    kinds = {planned[f"conv2d_5{end}"].feature_sets[0] for end in ("", "_mel", "_mfcc", "_spectrogram")}
    assert kinds == {"logmel", "mel", "mfcc", "spectrogram"}
    assert planned["vgg16_lstm"].feature_sets == ("faces:vgg16",)  # a frozen network is read from its stored vectors
    assert planned["vgg16_lstm_random"].feature_sets == ("faces:vgg16:random",)
    assert planned["resnet50_gru_fine_tuned"].feature_sets == ("faces",)
    assert planned["multimodal"].feature_sets == ()  # the sets of the missing-modality sets


def test_a_modality_alone_is_a_row_and_nothing_is_joined_where_there_is_only_one():
    assert {"acoustic_a", "visual_v", "textual_t", "multimodal", "multimodal_augmented"} <= set(by_name("omg_study"))
    alone = by_name("omg_study", "quick", [T]).values()
    assert {t.experiment for t in alone if t.family == "valence_arousal"} == {"textual", "shuffled_labels"}


def test_every_row_of_dimensions_learns_with_the_loss_that_is_asked_for():
    planned = by_name("omg_study", loss="ccc_and_mse").values()
    assert {(training.config.ccc_weight, training.config.mse_weight) for training in planned} == {(1.0, 1.0)}


def test_what_is_not_known_is_refused_with_what_is():
    with pytest.raises(ValueError, match="preset 'huge' of family mmin: expected one of default"):
        by_name("mmin_study", "huge")
    with pytest.raises(ValueError, match="official_code_meld"):
        by_name("mmgcn_study", "huge")
    with pytest.raises(ValueError, match="loss 'hinge': expected one of ccc, mse, ccc_and_mse"):
        by_name("omg_study", loss="hinge")
    with pytest.raises(ValueError, match="train_under 'some': expected one of full, missing, full_and_missing"):
        by_name("mmin_study", train_under="some")


def ask(dataset: Dataset = DATASET, **asked) -> list[Training]:
    every = trainings(STUDIES["mmin_study"], "debug", dataset.modalities, {})
    usual = {"seeds": [0], "experiments": (), "speaker_normalised": (), "keep": ""}
    return asked_for(every, dataset, **{**usual, **asked})


def test_all_rows_are_trained_or_those_asked_for_with_their_teachers():
    assert ask() == trainings(STUDIES["mmin_study"], "debug", Modality, {})
    assert [training.name for training in ask(experiments=["mmin"])] == ["full_baseline", "mmin"]
    assert {training.experiment for training in ask(experiments=["mctn"], speaker_normalised=["best"])} == {
        "mctn",
        "best",
    }
    for keep in ("best", "last"):
        assert {t.config.schedule.keep for t in ask(keep=keep) if t.is_network} == {keep}


def test_rows_seeds_and_switches_that_mean_nothing_are_refused():
    for seeds in ([], [2, 2], [-1]):
        with pytest.raises(ValueError, match="expected one or more different numbers, none below 0"):
            ask(seeds=seeds)
    with pytest.raises(ValueError, match=r"experiments \['mimn'\]: of a corpus with modalities avt, expected some of "):
        ask(experiments=["mimn"])
    with pytest.raises(ValueError, match="keep 'first': expected best, last or nothing"):
        ask(keep="first")
    with pytest.raises(ValueError, match="no utterance of the corpus names its speaker"):
        ask(replace(DATASET, speakers=[""] * len(DATASET.speakers)), speaker_normalised=["best"])


def places(planned: list[Training], seeds=(0, 1), speaker_normalised=(), splits=("train", "test")) -> list[Place]:
    digests = {training.feature_sets: "data" for training in planned}
    parts = {0: list(splits), 1: list(reversed(splits))}
    return list(places_of(planned, parts, digests, seeds=seeds, speaker_normalised=speaker_normalised))


def test_every_training_has_a_place_in_every_fold_and_seed_and_one_of_its_own_where_it_is_normalised_by_speaker():
    planned = ask(experiments=["mmin", LINEAR_SVM], speaker_normalised=["mmin"])
    made = places(planned, speaker_normalised=["mmin"])
    kinds = {(place.experiment, place.fold, place.seed): place for place in made}
    names = ("full_baseline", "mmin", f"mmin{SPEAKER_NORMALISED}")
    wanted = {(name, fold, seed) for name in names for fold in (0, 1) for seed in (0, 1)}
    assert set(kinds) == wanted | {(LINEAR_SVM, 0, 0), (LINEAR_SVM, 1, 0)} and len(made) == len(kinds)
    assert kinds[LINEAR_SVM, 0, 0].seeds == (0, 1) and kinds["mmin", 0, 1].seeds == (1,)  # no chance in a machine
    assert kinds[names[2], 0, 0].reads == ((), SPEAKER_NORMALISED)
    assert len({place.fingerprint for place in made}) == len(made)
    assert [place.fingerprint for place in places(planned, speaker_normalised=["mmin"])] == [
        p.fingerprint for p in made
    ]


def test_a_fingerprint_changes_with_the_teacher_the_seed_and_the_data_and_not_with_a_machines_seed():
    planned = ask(experiments=["mmin", LINEAR_SVM])

    def prints(planned: list[Training], **more) -> dict[str, str]:
        return {place.training.name: place.fingerprint for place in places(planned, **more) if place.fold == 0}

    usual = prints(planned, seeds=[0])
    teacher, *others = planned
    other = prints([replace(teacher, config=replace(teacher.config, width=99)), *others], seeds=[0])
    assert [name for name in usual if usual[name] != other[name]] == ["full_baseline", "mmin"]
    seeded, divided = prints(planned, seeds=[5]), prints(planned, seeds=[0], splits=("val", "test"))
    assert [name for name in usual if usual[name] == seeded[name]] == [LINEAR_SVM]
    assert not set(usual.values()) & set(divided.values())
