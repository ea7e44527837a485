"""The options of buckets, as SOURCE or DEST."""

from mkindex.options import Options, option

BUCKETS = "Buckets"  # the heading


class StoreOptions(Options, heading=BUCKETS):
    """The options of buckets."""

    store_option: tuple[str, ...] = option(
        (),
        "A setting of the bucket in an s3://, az:// or gs:// address (gs:// is experimental), such as "
        "endpoint=https://…, region=…, profile=… or skip_signature=true (a public bucket). May be repeated.",
        metavar="KEY=VALUE",
        automatic="from the environment, as AWS, Google and Azure tools read it",
    )
