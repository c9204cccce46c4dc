"""The lab's clients and the guest's services: lean probes, each a forked child of the worker."""
