"""Being here puts tests/ on the import path of everything below it: model, workload, emulators, cloud,
service."""
