"""Many agents in one process, against a real broker, in a world of seeded accidents.

Each is the agent that runs on a device: its state machine, slots, downloads, outbox and
interpreter. Only what surrounds it differs: one epoll loop in place of a thread for each link,
packages that are proved in this process in place of a child's, an outbox in memory in place of a
file's.
"""
