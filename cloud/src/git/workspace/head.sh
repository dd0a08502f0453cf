# Prints branch, commit and `dirty` or `clean`, one a line; an empty line where there is none.
[ -e "$workspace/.git" ] || exit 0
branch=$(work symbolic-ref --quiet HEAD) || branch=''
printf '%s\n' "${branch#refs/heads/}"
work rev-parse --verify --quiet 'HEAD^{commit}' || echo
if [ -n "$(work status --porcelain --ignore-submodules=none | head -c 1)" ]; then echo dirty; else echo clean; fi
