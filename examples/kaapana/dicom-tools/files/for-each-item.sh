#!/bin/sh
# Call a program for every item of a channel: for-each-item.sh PROGRAM INPUT_CHANNEL OUTPUT_CHANNEL
# The program gets the item's directory and the directory of its result. An item that fails does not stop the others;
# the script ends with 1 when at least one failed. Any identifier works: nothing is split or expanded twice.
set -u
program=$1 input=$2 output=$3
failed=0 done=0
for item in "$input"/* "$input"/.[!.]* "$input"/..?*; do
    [ -d "$item" ] || continue
    identifier=${item##*/}
    result=$output/$identifier
    mkdir -p "$result"
    if python3 -u "$program" "$item" "$result"; then
        done=$((done + 1))
    else
        failed=$((failed + 1))
        printf 'item failed: %s\n' "$identifier" >&2
        rmdir "$result" 2>/dev/null || true
    fi
done
printf '%d items done, %d failed\n' "$done" "$failed"
if [ "$((done + failed))" -eq 0 ]; then
    printf 'no items in %s\n' "$input" >&2
    exit 1
fi
[ "$failed" -eq 0 ]
