"""The queue: job records, the Celery application, worker life, the supervisor and the keeper.

Two halves. The job-record half (`settings`, `broker`, `errors`, `keys`, `job`, `job_store`, `model_registry`,
`message`, `payload`, `result` and what they need) imports neither Celery nor TensorFlow and is all that the API
process loads; tests/contracts/test_import_layers.py lists it. The worker half (`app`, `pool`, `worker`, `predict`,
`result_backend`, `keeper`, `batching`, `transport`, `versions`, `supervisor`, `inspection`) runs models and processes.
"""
