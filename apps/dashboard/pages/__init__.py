"""What people see of all sites: pages in Korean and English, made here, with no outside request.

routes.py     addresses → pages
rendering.py  templates with a visitor's language and time zone; headers that forbid all else
sign_in.py    the token as a cookie, language and time zone as cookies
forms.py      what a form sends, and that it came from a page of ours
promotion.py  a promotion asked for on a page: the same door as `guardianflow promote`
files.py      style sheet, script, Plotly: from our own address alone
views/        what each page shows
texts/        every text, a module a language
"""
