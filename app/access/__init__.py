"""Who may see and do what; users, keys, rate limits and admission.

users                 browser cookie -> user id
identity   Identity   claims of a login, a proxy or a token -> who somebody is
policy     Policy     access.toml: who has which role, and who may read which collection
rights     Rights     what somebody may do and read
access     Access     identity -> rights: the one place that decides
audit      AuditLog   who changed what, when and from where
limits     Limits     what the key of a program may do
keys       ApiKey     keys of programs, with their owners
tokens                bearer token of an OpenID provider -> its claims
callers    Caller     key or token of a request -> rights and limits
rates                 requests per minute of each key
admission  BusyError  which searches run, wait, or are turned away
"""
