#!/bin/sh
# Upload this index to a bucket:  sh upload.sh s3://BUCKET[/PREFIX]
#
# Requires the AWS CLI, which finds credentials, region and endpoint as usual (AWS_PROFILE, AWS_ENDPOINT_URL, …). At any
# moment, each page in the bucket links only to files that exist: files are uploaded first, then the pages of projects,
# then the pages that list all projects. Unchanged objects are not touched, and the next run completes one that stopped.
# UPLOAD_ALL=1 uploads everything again: objects that came in another way may have wrong types.
#
# Pages of projects that are gone are deleted last. Wheels and sdists stay, unless PRUNE=1 is set: then those are deleted
# that are not in this tree and that none of its pages lists, UPLOAD_GRACE seconds (60) after the pages that listed them,
# because pages are cached for as long.
#
# The REST endpoint of a bucket, and CloudFront in front of it, do not support index documents: for …/simple/demo/ they
# look for an object named "simple/demo/". A directory cannot contain a file of that name, so each page is uploaded
# twice, under that name and as index.html.
set -eu

simple='{{ simple }}'
json_root='{{ json_root or "" }}'
legacy_json='{{ legacy_json or "" }}'
pages_are='max-age=60, must-revalidate'
files_are='public, max-age=31536000, immutable'
type_of_json='application/vnd.pypi.simple.v1+json'
type_of_html='text/html; charset=utf-8'

case ${1-} in
s3://?*) ;;
*)
    echo "usage: sh upload.sh s3://BUCKET[/PREFIX]" >&2
    exit 2
    ;;
esac
path=${1#s3://}
bucket=${path%%/*}
prefix=${path#"$bucket"}
prefix=${prefix#/}
prefix=${prefix%/}
prefix=${prefix:+$prefix/}

CDPATH='' cd -- "$(dirname -- "$0")"
if ! [ -f "${simple}index.html" ]; then
    echo "upload.sh: no index in this directory: run mkindex first" >&2
    exit 1
fi
if command -v md5sum >/dev/null; then
    md5() { xargs md5sum; }
elif command -v md5 >/dev/null; then
    md5() { xargs md5 -r; }
else
    md5() { xargs openssl md5 -r; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Copy the pages as they are now. Even if a build runs meanwhile, the files that they list stay for its --grace. ---

names() { # ROOT: print the paths of its pages; project names have no characters that are special to a shell or a list
    for page in "$1"index.html "$1"index.v1_json "$1"*/index.html "$1"*/index.v1_json; do
        case $page in
        files/*) ;; # not a project, if the index is at the root of the tree
        *[!A-Za-z0-9_./-]*) ;;
        *) [ ! -f "$page" ] || printf '%s\n' "$page" ;;
        esac
    done
}
{
    names "$simple"
    [ -z "$json_root" ] || names "$json_root"
    [ -z "$legacy_json" ] || for page in "$legacy_json"*/json; do
        [ ! -f "$page" ] || printf '%s\n' "$page"
    done
    for page in index.html 404.html links.html licenses.html feed.xml; do
        [ ! -f "$page" ] || printf '%s\n' "$page"
    done
    [ ! -f assets/site.css ] || for page in assets/* project/*/*; do # pages for people
        case $page in
        *[!A-Za-z0-9_./-]*) ;;
        *) [ ! -f "$page" ] || printf '%s\n' "$page" ;;
        esac
    done
} | sort -u >"$work/names"
copy() { # FROM TO: copy the pages that are listed on standard input
    while read -r page; do
        target=$2/$page
        [ -d "${target%/*}" ] || mkdir -p "${target%/*}"
        cp "$1/$page" "$target"
    done
}
copy . "$work/pages" <"$work/names"
(cd "$work/pages" && md5 <../names >../sums)
sed 's/ [ *]*/ /' "$work/sums" >"$work/here"

# --- List the objects. An ETag is the MD5 of the object, unless KMS encrypts it: then every page is uploaded again. ---

list() { # PREFIX [OPTIONS]: print ETag and key of each object
    aws s3api list-objects-v2 --bucket "$bucket" --prefix "$@" --query 'Contents[].[ETag,Key]' --output text
}
{
    list "$prefix$simple"
    [ -z "$json_root" ] || list "$prefix$json_root"
    [ -z "$legacy_json" ] || list "$prefix$legacy_json"
    [ -z "$simple" ] || list "$prefix" --delimiter / # pages beside the roots
    case $simple in "" | project/*) ;; *) list "${prefix}project/" ;; esac
    case $simple in "" | assets/*) ;; *) list "${prefix}assets/" ;; esac
} >"$work/listed"
PREFIX=$prefix awk -F '\t' '
    NF == 2 { gsub(/"/, "", $1); print $1 "\t" substr($2, length(ENVIRON["PREFIX"]) + 1) }
' "$work/listed" >"$work/there"

# --- Plan, as lines "stage action type page". Stage 1: pages of projects, 2: pages that list all, 3: deletions. ------

SIMPLE=$simple JSON_ROOT=$json_root LEGACY=$legacy_json PREFIX=$prefix ALL=${UPLOAD_ALL-} awk '
    function below(path, root) { return root != "" && substr(path, 1, length(root)) == root }
    function project(key, root, page,    name) { # the project whose page this key is in that root, or ""
        name = substr(key, length(root) + 1, length(key) - length(root) - length(page) - 1)
        return below(key, root) && key == root name "/" page && name ~ /^[a-z0-9-]+$/ ? name : ""
    }
    function of_people(key) {
        if (key ~ /^(licenses.html|feed.xml|assets\/[a-z0-9-]+\.[a-z]+)$/) return 1
        return key ~ /^project\/[a-z0-9-]+\/((badge|contents|feed|index|releases)\.(svg|html|xml))?$/
    }
    function remove(key) { print 3, "delete", "any", key }
    BEGIN { simple = ENVIRON["SIMPLE"]; json = ENVIRON["JSON_ROOT"]; legacy = ENVIRON["LEGACY"]; all = ENVIRON["ALL"] }
    FILENAME ~ /there$/ { split($0, field, "\t"); there[field[2]] = field[1]; next }
    {
        here[$2]
        type = $2 ~ /v1_json$/ || below($2, json) ? "json" : "html"
        if (type == "html" && match($2, /\.(css|js|svg|xml|png|webp|jpe?g|gif)$/)) type = substr($2, RSTART + 1)
        if (below($2, legacy)) type = "legacy"
        directory = $2
        sub("[^/]*$", "", directory)
        stage = $2 ~ "/" && directory != simple && directory != json ? 1 : 2
        if (all || there[$2] != $1) print stage, "copy", type, $2
        # The page of the root of a bucket would have an empty name.
        if ($2 ~ /index.html$/ && ENVIRON["PREFIX"] directory != "" && (all || there[directory] != $1))
            print stage, "put", type, $2
    }
    END {
        # Delete last the page that shows that a project is gone, so that the next run can complete one that stopped.
        # If the index is at the root, projects cannot be distinguished from other objects, so nothing is deleted.
        for (key in there) {
            if (key in here || (key "index.html") in here) continue
            if ((name = project(key, simple, "index.v1_json")) != "") {
                remove(simple name "/")
                remove(simple name "/index.html")
                remove(key)
            } else if ((name = project(key, json, "index.html")) != "") {
                remove(json name "/")
                remove(key)
            } else if (project(key, legacy, "json") != "") {
                remove(key)
            } else if (simple != "" && !below(simple, "project/") && of_people(key)) remove(key)
        }
    }
' "$work/there" "$work/here" >"$work/todo"

# --- Upload ---------------------------------------------------------------------------------------------------------

if [ -d files ] && [ -n "${UPLOAD_ALL-}" ]; then
    aws s3 cp files "s3://$bucket/${prefix}files" --recursive --no-progress --only-show-errors \
        --content-type application/octet-stream --cache-control "$files_are"
elif [ -d files ]; then
    aws s3 sync files "s3://$bucket/${prefix}files" --size-only --no-progress --only-show-errors \
        --content-type application/octet-stream --cache-control "$files_are"
fi

upload() { # STAGE
    for type in html json legacy css js svg xml png webp jpg jpeg gif; do
        case $type in
        html) content_type=$type_of_html ;;
        json) content_type=$type_of_json ;;
        legacy) content_type=application/json ;;
        css) content_type='text/css; charset=utf-8' ;;
        js) content_type='text/javascript; charset=utf-8' ;;
        svg) content_type=image/svg+xml ;;
        xml) content_type=application/atom+xml ;;
        jpg) content_type=image/jpeg ;;
        *) content_type=image/$type ;;
        esac
        sed -n "s/^$1 copy $type //p" "$work/todo" >"$work/some"
        if [ -s "$work/some" ]; then
            copy "$work/pages" "$work/new" <"$work/some"
            aws s3 cp "$work/new" "s3://$bucket/$prefix" --recursive --no-progress --only-show-errors \
                --content-type "$content_type" --cache-control "$pages_are"
            rm -r "$work/new"
        fi
        # The object is named after the page without its index.html. GNU xargs runs this once even if there is no input.
        sed -n "s/^$1 put $type //p" "$work/todo" |
            TO=$bucket PREFIX=$prefix TYPE=$content_type CACHE=$pages_are PAGES=$work/pages xargs -P 8 -n 1 sh -c '
                [ $# -eq 0 ] || aws s3api put-object --bucket "$TO" --key "$PREFIX${1%index.html}" --body "$PAGES/$1" \
                    --content-type "$TYPE" --cache-control "$CACHE" >/dev/null
            ' sh
    done
}
upload 1
upload 2

sed -n 's/^3 delete any //p' "$work/todo" | while read -r key; do
    aws s3api delete-object --bucket "$bucket" --key "$prefix$key" >/dev/null </dev/null
done

# --- Wheels and sdists. A page names a file by its hash, which is also part of its key, wherever the page links to. ----

find "$work/pages" -type f -exec grep -ohE '[0-9a-f]{2}/?[0-9a-f]{62}' {} + | tr -d / | sort -u >"$work/named" || :
{ [ ! -d files ] || find files -type f; } | sort >"$work/kept"
list "${prefix}files/" >"$work/files"
PREFIX=$prefix awk -F '\t' '
    FILENAME ~ /named$/ { named[$1]; next }
    FILENAME ~ /kept$/ { kept[$1]; next }
    NF == 2 {
        key = substr($2, length(ENVIRON["PREFIX"]) + 1)
        # Only keys as mkindex makes them: files/<2 digits of the hash>/<the other 62>/<name>.
        if (split(key, part, "/") != 4 || length(part[2]) != 2 || length(part[3]) != 62) next
        if (part[2] part[3] !~ /^[0-9a-f]+$/ || part[4] !~ /^[A-Za-z0-9._+!-]+$/) next
        if (!(part[2] part[3] in named) && !(key in kept)) print key
    }
' "$work/named" "$work/kept" "$work/files" >"$work/gone"
gone=$(grep -c '' "$work/gone") || :
pruned=0
if [ "$gone" -gt 0 ] && [ "${PRUNE-}" = 1 ]; then
    sleep "${UPLOAD_GRACE:-60}"
    FROM=$bucket PREFIX=$prefix xargs -P 8 -n 1 sh -c '
        aws s3api delete-object --bucket "$FROM" --key "$PREFIX$1" >/dev/null </dev/null
    ' sh <"$work/gone"
    pruned=$gone
fi
put=$(grep -vc '^3' "$work/todo") || :
removed=$(grep -c '^3' "$work/todo") || :
echo "uploaded to s3://$bucket/$prefix: $put pages, $removed pages deleted, $pruned files deleted"
if [ "$gone" -gt "$pruned" ]; then
    echo "$gone files in the bucket are listed by no page of this tree. They stay; PRUNE=1 sh upload.sh $1 deletes them"
fi
