# Prints branch, commit and `dirty` or `clean`, one a line; an empty line where there is none.
[ -e "$workspace/.git" ] || exit 0
work symbolic-ref --quiet --short HEAD || echo
work rev-parse --verify --quiet 'HEAD^{commit}' || echo
if [ -n "$(work status --porcelain --ignore-submodules=none | head -c 1)" ]; then echo dirty; else echo clean; fi
