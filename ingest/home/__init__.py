"""The home folder, the ground floor of both sides.

folder             where it is, which table in it serves, and who may read and write
database           SQLite: one transaction for one act
damaged_database   a damaged file -> a new one in its place, with the rows that can still be read
job_store          BaseJob  the life of a job: queued, running, ended, killed, resumed
environment        variables -> settings, or an error that names them
whole_folders      folders that are there whole or not at all
"""
