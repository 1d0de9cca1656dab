#!/bin/sh
# A target that performs nothing and shows nothing, and gets one call wrong: it has fork().
read -r _
echo "nommu-protocol 1 wrong none"
while read -r question; do
    case "$question" in
    reset*) echo "= ready" ;;
    *" = fork("*) echo "= done" ;;
    end) exit ;;
    *) echo "= unsupported" ;;
    esac
    echo .
done
