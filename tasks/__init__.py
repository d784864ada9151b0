"""The queue: job records, the Celery application, worker life, the supervisor and the keeper.

Two halves. The job-record half (`settings`, `broker`, `broker_address`, `errors`, `keys`, `job`, `job_store`,
`model_registry`, `message`, `payload`, `ports`, `result`) imports neither Celery nor TensorFlow and is all that the API
process loads. The worker half (`app`, `pool`, `worker`, `predict`, `result_backend`, `keeper`, `supervisor`) runs
models and processes.
"""
