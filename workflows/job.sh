#!/usr/bin/env bash
# Sends a run to the Ray cluster at RAY_API_SERVER_ADDRESS (default http://127.0.0.1:8265) and shows its output:
#     workflows/job.sh --corpus s3://bucket/corpus --config workflows/objaverse.yaml
# All arguments are those of pipeline.run; JOB_OPTIONS are those of `ray job submit` (--no-wait, say).
set -euo pipefail
cd "$(dirname "$0")/.."
export RAY_API_SERVER_ADDRESS="${RAY_API_SERVER_ADDRESS:-http://127.0.0.1:8265}"
# Ray's clients send their token only if they are told to; clusters ask for it as soon as they have one.
if [ -n "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] || [ -f ~/.ray/auth_token ]; then
    export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
fi
# shellcheck disable=SC2086  # several options
exec ray job submit ${JOB_OPTIONS:-} --runtime-env workflows/clusters/runtime_env.yaml \
    -- python -m pipeline.run --executor ray "$@"
