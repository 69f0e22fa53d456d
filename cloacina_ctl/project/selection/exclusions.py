"""Excludes files that are not packed unless the author names them: secrets, caches, leftovers.

A wildcard must not bring a key into a package, and no ignore file has to be right for it to stay
out. Names are compared without case. Source files (``secrets.py``) are not secrets by their name.

Many of the names are those that gitrob looks for in public repositories, and those for which
gitignore templates and gitleaks have rules. ``docs/projects.md`` has the table.
"""

from __future__ import annotations

import re

from cloacina_ctl.values import NamedTuple


class Denied(NamedTuple):
    """Why a file is left out; ``secret`` if it may hold one."""

    reason: str
    secret: bool = False


_CACHE = Denied("a cache or what a tool made")
_CARGO = Denied("what cargo built")
_GIT = Denied("belongs to version control")
_EDITOR = Denied("belongs to an editor or the desktop")
_PACKAGE = Denied("a package, not part of one")
_IGNORE_FILE = Denied("an ignore file")


def _secret(what: str) -> Denied:
    return Denied(what, secret=True)


_KEYS = _secret("it may hold a private key")
_CREDENTIALS = _secret("it may hold credentials")
_ENVIRONMENT = _secret("it may hold secrets of an environment")
_STATE = _secret("it may hold secrets in recorded state")
_HISTORY = _secret("a history of what was typed")
_DUMP = _secret("a memory dump")
_SHELL = _secret("settings of a shell, which may hold secrets")
_LOG = _secret("what a program printed, which may hold secrets")
_DATABASE = _secret("a database, which may hold personal data or passwords")
_DATABASE_DUMP = _secret("a dump of a database, which may hold personal data or passwords")
_TRAFFIC = _secret("recorded network traffic")
_TRUST = _secret("a list of trusted keys")

_FOLDERS: dict[str, Denied] = {
    **dict.fromkeys(
        (
            "__pycache__", "__pypackages__", "node_modules", "bower_components", ".venv",
            ".virtualenv", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache",
            ".hypothesis", ".ipynb_checkpoints", ".cache", ".eggs", ".pytype", ".pyre",
            ".import_linter_cache", ".benchmarks", ".pixi", ".gradle", ".sass-cache",
            ".parcel-cache",
            ".terraform", ".terragrunt-cache", ".serverless", ".npm", ".yarn", ".pnpm-store",
            "htmlcov", ".nyc_output", ".scannerwork", ".dvc", ".uv-cache", ".pdm-build",
        ),
        _CACHE,
    ),
    **dict.fromkeys((".git", ".hg", ".svn", ".bzr", ".jj", ".pijul", "_darcs", "cvs"), _GIT),
    **dict.fromkeys((".idea", ".vscode", ".vs", ".fleet", ".zed", "__macosx"), _EDITOR),
    **dict.fromkeys((".ssh", ".gnupg", ".password-store", ".cloacina"), _KEYS),
    **dict.fromkeys(
        (
            ".aws", ".azure", ".gcloud", ".oci", ".kube", ".docker", ".m2", ".kaggle", ".snowsql",
            ".databricks", ".vault", ".chef", ".ansible", ".huggingface", ".openai", ".op",
            ".gem", ".composer", ".bluemix", ".fly", ".heroku", ".direnv", "gcloud",
            ".terraform.d", ".subversion", ".putty", ".purple", ".mozilla", ".thunderbird",
        ),
        _CREDENTIALS,
    ),
}  # fmt: skip

_FILES: dict[str, Denied] = {
    **dict.fromkeys((".gitignore", ".cloacinaignore", ".ignore", ".dockerignore"), _IGNORE_FILE),
    **dict.fromkeys(
        (".git", ".gitattributes", ".gitmodules", ".gitkeep", ".mailmap", ".hgignore", ".hgtags"),
        _GIT,
    ),
    **dict.fromkeys((".ds_store", "thumbs.db", "desktop.ini", ".directory"), _EDITOR),
    **dict.fromkeys((".coverage", "coverage.xml", ".dmypy.json", "pip-log.txt"), _CACHE),
    **dict.fromkeys(
        (
            "identity", "wallet.dat", "keyfile", "master.key", "otr.private_key", "key3.db",
            "key4.db",
        ),
        _KEYS,
    ),
    **dict.fromkeys(("trust.json", "authorized_keys", "known_hosts"), _TRUST),
    **dict.fromkeys(
        (
            ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", "pip.conf", "pip.ini", ".netrc",
            "_netrc",
            ".git-credentials", ".gitconfig", ".dockercfg", ".dockerconfigjson", ".pgpass",
            "pgpass.conf", ".my.cnf", ".mylogin.cnf", ".s3cfg", ".boto", ".htpasswd", ".htdigest",
            ".vault-token", ".vault_pass", ".vault_pass.txt", ".authinfo", ".authinfo.gpg",
            ".databrickscfg", ".odbc.ini", ".cdsapirc", ".passwd-s3fs", ".rclone.conf",
            "rclone.conf", ".terraformrc", "terraform.rc", ".ftpconfig", "sftp-config.json",
            ".remote-sync.json", "filezilla.xml", "recentservers.xml", "sitemanager.xml",
            "kaggle.json", "token.json", "tokens.json", "auth.json", "client_secrets.json",
            "application_default_credentials.json", "local.settings.json", ".smbcredentials",
            ".cifscredentials", ".kube-config", "kubeconfig", ".kubeconfig", "config.gpg",
            "passwd", "shadow", ".credentials", "credentials", "credential", ".secrets", ".secret",
            "secrets", "secret", ".token", "token", "password", "passwords", ".password",
            ".passwd", ".pass", ".pw", ".hgrc", ".msmtprc", ".fetchmailrc", ".nuget.config",
            "nuget.config", "proftpdpasswd", ".esmtprc", ".twitter", ".trc", ".jupyter_token",
            "wp-config.php", "localsettings.php", "config.inc.php", "settings.local.php",
            "database.yml", "knife.rb", "omniauth.rb", "carrierwave.rb", "secret_token.rb",
            "robomongo.json", "dbeaver-data-sources.xml", ".dbeaver-data-sources.xml",
            "ventrilo_srv.ini", "logins.json", ".muttrc", "muttrc", ".offlineimaprc", ".mbsyncrc",
            ".curlrc", ".wgetrc",
        ),
        _CREDENTIALS,
    ),
    **dict.fromkeys((".envrc", "env.local", "dotenv", ".renviron"), _ENVIRONMENT),
    **dict.fromkeys(
        (
            ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".zshrc",
            ".zshenv", ".zprofile", ".zlogin", ".profile", ".kshrc", ".cshrc", ".tcshrc",
            ".login", ".aliases", ".exports", ".functions", ".extra", ".rprofile",
        ),
        _SHELL,
    ),
    **dict.fromkeys(
        (
            ".rhistory", ".zhistory", ".histfile", "fish_history", "consolehost_history.txt",
            ".rdata", ".lesshst", ".viminfo", ".history",
        ),
        _HISTORY,
    ),
    **dict.fromkeys(
        (
            "nohup.out", "npm-debug.log", "yarn-debug.log", "yarn-error.log", "lerna-debug.log",
            ".pnpm-debug.log", "firebase-debug.log",
        ),
        _LOG,
    ),
    **dict.fromkeys(("core", "hs_err_pid.log"), _DUMP),
}  # fmt: skip

# By what follows the last dot of a name.
_SUFFIXES: dict[str, Denied] = {
    **dict.fromkeys(
        (
            "pem", "key", "p12", "pfx", "p8", "ppk", "jks", "jceks", "keystore", "bks", "kdb",
            "kdbx", "keytab", "kwallet", "agilekeychain", "keychain", "opvault", "psafe3",
            "wallet", "pkcs12", "pkcs8", "age", "gpg", "pgp", "snk", "pvk", "keypair", "jwk",
            "bek", "tpm", "fve",
        ),
        _KEYS,
    ),
    **dict.fromkeys(
        (
            "token", "secret", "secrets", "credentials", "kubeconfig", "ovpn", "rdp",
            "publishsettings", "htpasswd", "netrc", "pgpass", "tblk", "cscfg",
        ),
        _CREDENTIALS,
    ),
    **dict.fromkeys(("env", "envrc"), _ENVIRONMENT),
    **dict.fromkeys(("tfstate", "tfvars", "tfplan"), _STATE),
    **dict.fromkeys(
        (
            "sqlite", "sqlite3", "sqlitedb", "s3db", "db3", "mdb", "accdb", "mdf", "ldf", "sdf",
            "ibd", "rdb",
        ),
        _DATABASE,
    ),
    **dict.fromkeys(("dump", "sqldump", "pgdump", "mysqldump"), _DATABASE_DUMP),
    **dict.fromkeys(("pcap", "pcapng", "saz"), _TRAFFIC),
    **dict.fromkeys(("core", "dmp", "mdmp", "hprof", "heapsnapshot", "har", "stackdump"), _DUMP),
    **dict.fromkeys(("pyc", "pyo", "egg-info"), _CACHE),
    "cloacina": _PACKAGE,
    **dict.fromkeys(("swp", "swo", "swn", "bak", "orig", "rej"), _EDITOR),
}  # fmt: skip
_NOTES = r"(?:[._-][a-z0-9._-]*)?"
_TEXT_FORMATS = r"\.(?:json|ya?ml|toml|ini|cfg|conf|txt|csv|xml|enc|properties|db)"
_PACKED = r"\.(?:gz|bz2|xz|zst|zip|7z)"
# Patterns over the whole name, in lower case; each runs in linear time.
_PATTERNS: tuple[tuple[Denied, tuple[str, ...]], ...] = (
    (_ENVIRONMENT, (r"\.env(?:[._~-].*)?", r".*\.env\.(?:local|prod|production|staging|dev)")),
    (_KEYS, (r"id_[a-z0-9_-]+", r".*_(?:rsa|dsa|ecdsa|ed25519)", r"secring\..*", r"krb5cc_.*")),
    (
        _CREDENTIALS,
        (
            rf"\.?(?:credentials?|secrets?|passwords?|passwd){_NOTES}{_TEXT_FORMATS}",
            rf".*[._-](?:credentials?|secrets?|passwords?){_TEXT_FORMATS}",
            r"client_secret.*\.json",
            r".*service[_-]?account.*\.json",
            r".*firebase-adminsdk.*\.json",
            r"kubeconfig[._-].*",
            r"(?:.*[._-])?(?:gcp|gcloud|gsuite|sa)[._-]?keys?\.json",
        ),
    ),
    (_DATABASE, (r".*\.(?:db|sqlite3?)-(?:wal|shm|journal)",)),
    (
        _DATABASE_DUMP,
        (
            rf"(?:.*[._-])?(?:dump|dumpall|backup)(?:[._-].*)?\.sql(?:{_PACKED})?",
            rf".*\.sql{_PACKED}",
        ),
    ),
    (_STATE, (r".*\.tfstate\..*", r".*\.tfvars\.json")),
    (_HISTORY, (r"\.[a-z0-9_]+[_-]history",)),
    (_DUMP, (r"core\.[0-9]+",)),
    (_CACHE, (r"\.coverage\..*", r"\.cloacina-ctl-.*", r".*\$py\.class")),
    (_PACKAGE, (r".*\.cloacina\.sig",)),
    (_EDITOR, (r".*~", r"\.#.*", r"#.*#", r"\._.*")),
)
_NAMES = re.compile(
    "|".join(
        f"(?P<g{number}>{'|'.join(patterns)})" for number, (_, patterns) in enumerate(_PATTERNS)
    ),
    re.DOTALL,
)
_BY_GROUP = {f"g{number}": denied for number, (denied, _) in enumerate(_PATTERNS)}


def deny_file(name: str) -> Denied | None:
    """Return why the file stays out, or None."""
    lower = name.lower()
    denied = _FILES.get(lower) or _SUFFIXES.get(lower.rpartition(".")[2] if "." in lower else "")
    if denied is not None:
        return denied
    match = _NAMES.fullmatch(lower)
    return None if match is None else _BY_GROUP[str(match.lastgroup)]


def deny_folder(name: str) -> Denied | None:
    """Return why the folder stays out with all that is in it, or None."""
    lower = name.lower()
    if lower.endswith(".egg-info"):
        return _CACHE
    return _FOLDERS.get(lower)


def deny_marked_folder(path: str, names: frozenset[str] | set[str]) -> Denied | None:
    """Return why the folder ``path``, which holds ``names``, stays out: tools mark their own.

    ``pyvenv.cfg`` makes a virtual environment (PEP 405), ``CACHEDIR.TAG`` a cache: cargo's
    ``target``, and those of linters and test runners. A ``target`` that was copied may lack it:
    what cargo notes of the compiler, and its folders of profiles, tell it too.
    """
    if "pyvenv.cfg" in names:
        return Denied("a virtual environment")
    if "CACHEDIR.TAG" in names:
        return _CACHE
    if ".rustc_info.json" in names or ".cargo-lock" in names:
        return _CARGO
    is_target = path.rstrip("/").rpartition("/")[2] == "target" and "__init__.py" not in names
    return _CARGO if is_target and names & {"debug", "release"} else None
