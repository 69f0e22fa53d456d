"""What several folders of the tests share; ``tests/conftest.py`` makes fixtures of it.

- the command: ``cli`` a command line in this process or in one of its own, ``user`` whose it is,
  ``refusals`` what holds of every run that ends badly, ``json_schemas`` what ``--json`` may print,
  ``terminals`` a program on a terminal, ``transcripts`` the commands of a page
- the machine: ``machine`` programs, disks, other users, ``cache`` what is kept from run to run,
  ``canary`` a folder that no run may change, ``waiting`` for a condition
- projects and packages: ``projects``, ``trees``, ``packages``, ``archives`` (legacy packages),
  ``manifests``, ``wheels``, ``registries``
- bytes made by hand: ``builder``, ``tar_bytes``, ``zstd_bytes``, ``json_texts``, ``envelopes``,
  ``full_manifest``, ``elf_builder``, ``workflow_libraries``
- running: ``plugins``, ``plugin_packages``, ``sessions``, ``graphs``
- servers: ``sockets``, ``cloacina_server``
"""
