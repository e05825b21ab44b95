#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# policy/ and filter/ are pure: same bytes in, same bytes out. The proof is what they import: every undefined symbol of
# their libraries must be in the lists below. No file, socket, clock, environment, locale or random number is there.
# usage: purity.sh BUILD_DIR (an ordinary build: sanitizers import symbols of their own)
set -eu

if [ $# -ne 1 ]; then
	echo "usage: purity.sh BUILD_DIR" >&2
	exit 2
fi

# Memory, strings, formatting, and what the compiler adds (stack protector, _FORTIFY_SOURCE, assert).
libc='__assert_fail __stack_chk_fail __[a-z]+_chk
malloc calloc realloc reallocarray free
mem(chr|rchr|cmp|cpy|move|set|mem)
str(n?len|n?cmp|n?casecmp|chr|rchr|cspn|spn|pbrk|str|n?dup|to(d|u?ll?)|error)
__isoc99_[a-z]+ __errno_location __ctype_(b|tolower|toupper)_loc
qsort qsort_r bsearch v?snprintf
_GLOBAL_OFFSET_TABLE_'
# Text onto a stream that the caller opened.
printing='f(putc|puts|write|printf) vfprintf'
# Pure parts of base/ and libraries.
ours='arena_[a-z]+ grow_array ip_[a-z_]+ dname_[a-z]+ name_pattern_match rdata_join err_(set|wrap) cJSON_[A-Za-z]+'
# Text of one record to wire form and back (ldns): strings in, memory out.
records='ldns_rr_(new_frm_str|free|get_type|rd_count|rdf|descript) ldns_rdf_(data|size|get_type|new_frm_data|deep_free)
ldns_rdf2str ldns_get_errorstr_by_id ldns_get_rr_type_by_name ldns_str2period'
# Regular expressions (PCRE2): text and subject in, a number out; the code that is kept is made of the text alone.
regexes='pcre2_[a-z_]+_8 __popcountdi2'
# listfile.c reads and writes compiled lists through descriptors that it is given, and keys their hash (SipHash) with a
# random number that it writes into the file: the same file gives the same verdicts. It lets others go first.
descriptors='read write getrandom crypto_shorthash sched_yield'

failed=0
check() {
	archive=$1/$2/lib$2.a
	shift 2
	if [ ! -e "$archive" ]; then
		echo "purity: $archive is missing" >&2
		exit 2
	fi
	symbols=$(nm "$archive")
	pattern=$(echo "$*" | tr -s ' \n' '||')
	defined=$(echo "$symbols" | awk 'NF == 3 { print $3 }' | sort -u)
	imported=$(echo "$symbols" | awk '$1 == "U" { print $2 }' | sort -u)
	for symbol in $(echo "$imported" | grep -vxE "$pattern" || true); do
		echo "$defined" | grep -qxF "$symbol" && continue
		echo "purity: $archive imports $symbol"
		failed=1
	done
}

check "$1" policy "$libc" "$printing" "$ours" "$records"
check "$1" filter "$libc" "$ours" "$descriptors" "$regexes" "$records"
exit $failed
