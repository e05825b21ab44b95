/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A refused packet: why, and how the kernel tells of it. Written into the program by policy/lower_drops.c, read from
 * the kernel's messages by recorder/nflog.c, kept and shown by gatewayd/drops.c and `sluice drops`. */
#pragma once

#include "base/base.h"

/* X(name, text): the text is the prefix of the kernel's message, the end of the counter's name ("drop_norule") and the
 * reason in JSON. A deny's prefix has its mark behind it, "deny:0123abcd", and its counter is the rule's own. */
#define DROP_LIST(X)                                                                                                   \
	X(DENY, "deny")                                                                                                \
	X(NO_RULE, "norule")                                                                                           \
	X(UNSEEN, "unseen")                                                                                            \
	X(QUARANTINED, "quarantined")                                                                                  \
	X(UNKNOWN, "unknown")                                                                                          \
	X(SPOOFED, "spoofed")                                                                                          \
	X(INVALID, "invalid")                                                                                          \
	X(INBOUND, "inbound")

enum drop_reason {
#define DROP_ENUM(name, text) DROP_##name,
	DROP_LIST(DROP_ENUM)
#undef DROP_ENUM
		DROP_REASON_MAX
};

/* "-" for a number that is none. */
static inline const char *drop_reason_name(uint32_t reason)
{
	static const char *const names[] = {
#define DROP_TEXT(name, text) [DROP_##name] = (text),
		DROP_LIST(DROP_TEXT)
#undef DROP_TEXT
	};

	return reason < DROP_REASON_MAX ? names[reason] : "-";
}

#define DROP_COUNTER_PREFIX "drop_"
#define DROP_PREFIX_MAX	    32 /* the longest is "deny:0123abcd"; the kernel allows 127 */

/* The nflog group ("SU" in ASCII): one that neither ulogd's examples nor other firewalls use. */
#define DROP_NFLOG_GROUP 0x5355
/* Of a packet: an IPv4 header with all options and both ports, or an IPv6 header and 24 bytes behind it. What the
 * packet carries stays in the kernel. */
#define DROP_SNAPLEN 64u
/* What somebody can read who watches, and what cannot be used to keep the recorder or gatewayd busy: a message costs
 * some microseconds. What is above is counted by the kernel and not told. */
#define DROP_DEVICES_PER_S   50u
#define DROP_DEVICES_BURST   100u
#define DROP_STRANGERS_PER_S 10u /* unknown devices, spoofed sources: anybody can send these */
#define DROP_STRANGERS_BURST 20u
