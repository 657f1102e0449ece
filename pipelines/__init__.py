"""What runs and when: definitions, deployment, jobs, schedules and sensors."""

import warnings

from dagster import BetaWarning, PreviewWarning

# Partitioned asset checks and selections by `not` are young interfaces of the pinned release; every load would say so.
warnings.filterwarnings("ignore", category=BetaWarning)
warnings.filterwarnings("ignore", category=PreviewWarning)
