"""Documents that come from elsewhere and are kept up to date.

source       Source, Item, Connector  where documents come from, and the protocol that reads them
store        SourceStore              the sources of a home and the state of their documents at the last sync
credentials                           a file of the home that only its owner may read -> options of an address
connect                               address -> its connector
local, remote, git, website           folder, fsspec address, Git repository, website -> items
fetch        Fetcher                  address on a website -> answer, without reaching the inner network
sync         Plan                     items -> the changed ones through the ordinary ingest, the gone ones removed
"""
