"""Long-running parts, jobs, and every outside door: Redis, AMI, CEL, the files of the exchange."""
