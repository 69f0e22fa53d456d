"""The command line: a line of words in, one operation called, its result shown.

``main`` reads the line (``parser``; ``typer_app`` where it is not plain), calls the verb with its
options and a ``Reporter``, and turns what it raises into words and an exit status (``failure``,
``exits``). A verb translates its options into the request of one operation, and the result into
lines for people and one object for ``--json``.

Nothing here opens a package, checks a signature or writes a file: that is what
``cloacina_ctl.operations`` is for, so that whatever a verb does can be done from Python as well.
Only this layer knows that there is a terminal. Text from a package, a server or a file name
goes through ``escape`` before it is shown.

To add

* a flag: one line in the class of options in the verb's module, or in ``options`` where several
  verbs share it (``command`` says how options are declared); then ``make docs``;
* a verb: an operation; a module with a class of options, a function that runs it and a
  ``Command``; its row in ``app``, its schema in ``docs/schemas``, and its name in the contract
  ``commands-independent``; then ``make docs``;
* a code: its row in ``errors`` and its page in ``docs/codes.md``; an exit status belongs to a
  family of errors, in ``exits``.
"""
