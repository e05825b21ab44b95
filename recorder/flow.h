/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flow as it is recorded, and its form in a journal record's body. Plain data; texts are borrowed slices. */
#pragma once

#include "base/cursor.h"
#include "sluice/addr.h"

/* A text of a record is cut at this many bytes: a name in presentation form (DNAME_TEXT_MAX 1021) fits. */
#define FLOW_TEXT_MAX 1100u
/* One encoded flow: four texts (device, rule, name, AS organisation; 255, 255, 1100, 255) and about 150 bytes of
 * numbers. */
#define FLOW_BODY_MAX	    2200u
#define FLOW_SHORT_TEXT_MAX 255u

/* In ip_addr.family: .bytes[0..7] are the pseudonym of an address. */
#define FLOW_ADDR_PSEUDONYM 0xffu
#define FLOW_PSEUDONYM_LEN  8u

/* How sure it is that the flow goes to the name: the client was given the address under exactly one name, under several
 * (the name is the one seen last, .candidates says how many), or under none. */
enum flow_evidence { FLOW_EVIDENCE_NONE = 0, FLOW_EVIDENCE_EXACT, FLOW_EVIDENCE_AMBIGUOUS, FLOW_EVIDENCE_MAX };

struct flow_text {
	const char *at; /* UTF-8 as it was found, not terminated; NULL when len is 0 */
	uint16_t len;
};

struct flow_record {
	uint64_t id;		   /* the same in the open and the close record, over restarts of the recorder too */
	uint64_t start_us, end_us; /* CLOCK_REALTIME; end_us 0 in an open record; start_us 0 when it is not known */
	bool closed;
	bool opened;   /* closed: its open record was written by the same run of the recorder */
	bool counted;  /* closed: the kernel gave counters */
	uint8_t level; /* enum log_level that it was recorded at */
	uint8_t proto;
	uint16_t src_port, dst_port, nat_port;
	struct ip_addr src, dst, nat; /* original tuple, source after NAT; family IP_NONE when not recorded */
	enum flow_evidence evidence;
	uint16_t candidates;
	char country[2]; /* ISO 3166-1; zeros when unknown */
	uint32_t as_number;
	uint64_t tx_bytes, tx_packets, rx_bytes, rx_packets; /* tx: from the device */
	struct flow_text device, rule, name, as_org;
};

struct flow_text flow_text_of(const char *s); /* borrowed; NULL gives the empty text */

/* @time_us: of the journal record that will hold it (the times are stored relative to it). Sticky error in @c. */
void flow_encode(const struct flow_record *f, uint64_t time_us, struct wcur *c);
/* Texts of @ret are borrowed from @body. 0 or -EBADMSG. */
int flow_decode(const uint8_t *body, size_t len, uint64_t time_us, struct flow_record *ret);
