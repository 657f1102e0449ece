"""Child processes: work under limits of time and memory, and workers that never outlive their parent."""
