"""One external system a file: what the deployment configures and the assets ask for."""
