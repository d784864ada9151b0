"""Callbacks: a job's client is told of its end by a signed POST to the `callback_url` that came with the job.

`lua/finish.lua` records a callback in the step in which its job ends; from then on it is due. The keeper hands what is
due to the queue of the callbacks' worker, which tries each until its receiver accepts it or it is given up. At each
point the record in Redis says what is left to do, so whatever is killed, somebody goes on.
"""
