"""The home folder, shared by both sides.

folder             its location, current table, permissions and write lock
database           SQLite: one transaction per action
damaged_database   a damaged file -> a new one with the rows that can still be read
job_store          BaseJob  the life of a job: queued, running, ended, killed, resumed
log                the log, without what people write; ids of requests
environment        variables -> settings, or an error that names them
whole_folders      folders that appear complete or not at all
"""
