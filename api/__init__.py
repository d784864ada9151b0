"""The HTTP edge: takes jobs, answers with records and results. docs/http.md is its manual.

| file | serves |
|---|---|
| `submit_job` | POST /v1/models/{model}/jobs, /v1/models/{model}/versions/{version}/jobs |
| `get_job` | GET /v1/jobs/{id} |
| `cancel_job` | DELETE /v1/jobs/{id} |
| `job_result` | GET, DELETE /v1/jobs/{id}/result |
| `query_jobs` | POST /v1/jobs:query |
| `list_jobs` | GET /v1/jobs |
| `list_models` | GET /v1/models, /v1/models/{model} |
| `pause_model` | POST /v1/models/{model}:pause, :resume |
| `health` | GET /healthz, /readyz |
| `metrics` | GET /metrics |
| `index` | GET /, /openapi.json |

Nothing here knows TensorFlow or Celery: models, versions and signatures come from what workers publish.
"""
