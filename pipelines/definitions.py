"""The one `dg.Definitions`: assets, checks, jobs, schedules, sensors and the resources of this deployment."""

import dagster as dg

from assets import checks, conditions, corpus, features, models, reports, studies
from pipelines.console import console
from pipelines.deployment import Places, resources
from pipelines.jobs import JOBS
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS

MODULES = [corpus, features, conditions, models, studies, reports]

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(MODULES),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources=resources(Places.from_environment()),
    # Heavy steps bring their own worker processes; a process a step would only add its start.
    executor=dg.in_process_executor,
    loggers={"console": console},
)
