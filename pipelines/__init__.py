"""What runs and when: definitions, deployment, jobs, schedules and sensors."""
