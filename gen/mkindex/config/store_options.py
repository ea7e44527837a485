"""The options of buckets, as SOURCE or DEST."""

from dataclasses import dataclass

from mkindex.config.reserve_options import ReserveOptions
from mkindex.options import option

BUCKETS = "Buckets"  # the heading


@dataclass(frozen=True, kw_only=True, slots=True, init=False, repr=False, eq=False)
class StoreOptions(ReserveOptions):
    """The options of buckets."""

    store_option: tuple[str, ...] = option(
        (),
        "A setting of the store, such as endpoint=https://…, region=…, profile=… or skip_signature=true (a public "
        "bucket). May be repeated.",
        group=BUCKETS,
        metavar="KEY=VALUE",
        automatic="from the environment, as AWS, Google and Azure tools read it",
    )
