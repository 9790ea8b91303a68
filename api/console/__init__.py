"""The operators' pages, /console: paper comes in, is arranged, checked, finished.

    session      who works here: a cookie signed with the person's own API key
    screen       what every page and form goes through: session, Origin, form token, language
    entry        signing in and out, settings
    files        forms with files, and what becomes of them in a stack
    stacks       the list of stacks, and the ways in: files and network scanners
    arranging    one stack: its page strip, its pages, what people do to them
    strip        an arrangement as values for the page strip
    pictures     pages as people see them: turned, small
    refusals     what the door refuses, as a page

Every step is a plain form that ends in a redirect; ``static/console.js`` only improves it: it
sends the same forms without loading the whole page, knows keys, and saves while people type.
"""
