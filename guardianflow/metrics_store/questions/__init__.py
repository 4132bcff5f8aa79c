"""What pages, commands and rules ask of the store: SQL here, typed answers out.

asking.py      Questions: one method for each question
answers.py     their answers
aggregates.py  records of a query → readings and aggregates
histories.py   the last readings of each place's accuracy
names.py       the customers, sites, tasks and architectures that the store knows
"""
