"""This program beside others that do the same job, on the same passages and with the same weights.

serve         the loop of a side's process
ours, plain, lance, llama   the sides
environments  names of sides to the Pythons that run them
workers       requests to a side's process
measure       rounds in which the sides take turns -> times
__main__      times -> table
"""
