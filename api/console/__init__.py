"""The operators' pages, /console: paper comes in, is arranged, checked, finished.

    session      who works here: a cookie signed with the person's own API key
    screen       what every page and form goes through: session, Origin, form token, language
    entry        signing in and out, settings
    files        forms with files, and what becomes of them in a stack
    stacks       the list of stacks, and the ways in: files and network scanners
    arranging    one stack: its page strip, its pages, what people do to them
    checking     the queue of papers, and the screen of one that is being checked
    records      what becomes of a checked paper: its steps, its sealed file
    search       pages that hold words, marked on their images
    day          a station's day in figures
    actions      what people do to pages, as edits of the arrangement
    strip        an arrangement as values for the page strip
    checksheet   a paper that is being checked, as values: what is doubtful first
    pages        what is drawn over a page's picture
    pictures     pages as people see them: turned, small
    scanning     network scanners, in threads of the web process
    refusals     what the door refuses, as a page
    mounting     puts all of it into the application

Every step is a plain form that ends in a redirect; ``static/console.js`` only improves it: it
sends the same forms without loading the whole page, knows keys, and saves while people type.
"""
