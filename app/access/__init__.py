"""Who may see and do what, how often, and who has to wait.

users                 cookie of a browser -> id of its user
keys       ApiKey     keys of programs, their scopes and their limits
rates                 how often a key may ask
admission  BusyError  who searches now, who waits, and who is turned away
"""
