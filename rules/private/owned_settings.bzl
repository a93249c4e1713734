"""Why settings of servers are the launcher's, in words that kinds share: it would override them, or lose the server.

realservices/contract/owned_settings.py is the same for plain pytest; a test compares.
"""

ACCOUNTS = "the launcher decides who may log in; the password is random, in the URL of the environment or the fixture"
ADDRESS = "the launcher decides where it listens, so that tests run side by side; read the address from the environment or the fixture"
FILES = "the launcher decides where its files lie: they end with the test"
LOG = "the launcher decides where the log goes: it reads it, shows its last lines and keeps it when a test fails"
PROCESS = "the launcher decides how it runs: it starts and ends the server itself"
