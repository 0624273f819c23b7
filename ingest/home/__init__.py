"""The home folder, shared by both sides.

folder             its location, current table, permissions and write lock
tables             the tables of both databases: what people made, and jobs
records   Records  opens their transactions; makes, fills and migrates the tables
earlier            databases of earlier versions -> rows of today's
database           SQLite files: private, one transaction per action, readable on a full disk
postgres           PostgreSQL in their place, for several servers
migrating          tables of an earlier version -> tables of today
sharing            documents and models that several servers share: one writes, the others follow
shared_folder      a folder with the states that they copy
damaged_database   a damaged file -> a new one with the rows that can still be read
job_store          BaseJob  the life of a job: queued, running, ended, killed, resumed
job_process        Heart    a job at work in its process, which beats and stops on request
processes          modules run as separate processes
log                the log, without what people write; ids of requests
environment        variables -> settings, or an error that names them
whole_folders      folders that appear complete or not at all
"""
