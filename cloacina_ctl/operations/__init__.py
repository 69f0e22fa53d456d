"""One function a verb: plain values in, a frozen result out, one family of errors, nothing printed.

Public, and usable without the command line::

    from cloacina_ctl.operations.keys import signing_keys
    from cloacina_ctl.operations.package import PackageRequest, package
    from cloacina_ctl.operations.verify import verify

    keys = signing_keys(())  # the user's own
    package(PackageRequest(project="my-workflow", output="x.cloacina", keys=keys))
    print(verify("x.cloacina").trusted_signers)

Everything that goes wrong on purpose is a ``cloacina_ctl.errors.CloacinaError``. Progress is
reported to a callable ``(stage, done, total)`` that may be given.
"""
