"""Users, keys, rate limits and admission.

users                 browser cookie -> user id
keys       ApiKey     keys of programs, their scopes and their limits
rights     Rights     what somebody may do and read
rates                 requests per minute of each key
admission  BusyError  which searches run, wait, or are turned away
"""
