"""Who is told of alerts, once.

messages.py  what is said
channels.py  where to, and how sending can end
webhook.py   HTTP, signed
mail.py      SMTP
delivery.py  what is due; retried only where it certainly did not arrive
configured.py  the channels that the settings name
"""
