#!/usr/bin/env bash
# A run on a Slurm cluster, on all nodes of one job, with the arguments of pipeline.run:
#     sbatch --nodes=8 workflows/clusters/slurm.sh --corpus /shared/corpus --config workflows/objaverse.yaml
# Submit it in the repository's root, on a file system that all nodes share, with its environment made (make venv).
# Sent again, or requeued, it goes on where it stopped.
#SBATCH --job-name=clip-gs
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=clip-gs-%j.log
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit it with sbatch}"
export PATH="$PWD/.venv/bin:$PATH"

# Whoever reaches the nodes but has no token cannot use the cluster; srun hands it to all of them.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300 # nodes read their Python from a shared disk
# A node that is lost takes its own part of this step with it; the others go on.
exec srun --kill-on-bad-exit=0 --cpus-per-task="$SLURM_CPUS_ON_NODE" \
    ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="$SLURM_CPUS_ON_NODE" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
    -- env RAY_ADDRESS=auto python -m pipeline.run --executor ray "$@"
