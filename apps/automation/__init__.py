"""From figures to action: alerts, what is started because of them, and who is told.

triggers/       configs/triggers.yaml: the rules
alerts/         where a rule's limit is passed, and what people said of it
ledger/         what was decided, started, ended, said and sent: a file that survives kill -9
orders/         what an alert would start, whether it may, and starting it
notifications/  a webhook, and mail
place.py        opens all of them for this machine's store
rounds.py       a look at all places: check, run, watch
"""
