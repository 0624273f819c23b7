"""The catalog of models that others publish -> models of this home, checked and tried before use.

    catalog   CatalogModel  what can be downloaded, in catalog.json
    hub       Release       a model's files at the hub, downloaded and checked one by one
    store     TrainedModel  a Release -> a model of the registry
    archive                 a model -> one tar file for a closed network, and back
    trial                   a model -> its time on this machine, and whether it pays
    jobs, worker            the same in a separate process, for the Settings page

A downloaded model is a model of the registry like a trained one: its files are checked again before each loading.
"""
