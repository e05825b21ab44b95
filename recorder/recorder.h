/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events, names and plans in; journal records out. No sockets, no clock: the role (role.c) brings both. */
#pragma once

#include "base/err.h"
#include "recorder/ctevent.h"
#include "recorder/enrich.h"
#include "recorder/flow.h"
#include "recorder/journal.h"
#include "recorder/logplan.h"
#include "recorder/pseudonym.h"
#include "recorder/queries.h"
#include "sluice/msg.h"

/* Losses of events within this time are told in one GAP record: a flood must not fill the journal with gaps. */
#define RECORDER_GAP_EVERY_US 1000000u

struct recorder;

struct recorder_stats {
	uint64_t opened, closed; /* records queued */
	uint64_t ignored;	 /* events of hosts that are not recorded */
	uint64_t events_lost;	 /* times that the kernel said so */
	uint64_t malformed;	 /* datagrams or messages refused */
	uint64_t names;		 /* names learned */
	struct queries_stats queries;
};

/* @journal, @enrich: taken, also on failure. @key: copied. NULL when out of memory. */
struct recorder *recorder_new(struct journal *journal, struct enrich *enrich, const struct pseudonym *key);
/* Writes what is pending; NULL is fine; returns NULL. */
struct recorder *recorder_free(struct recorder *r);

/* @plan: taken; NULL: nobody is recorded (as before the first one). */
void recorder_plan_set(struct recorder *r, struct logplan *plan);
/* Body of a NAME_SEEN message. 0, -EBADMSG, -ENOMEM. Names of devices whose flows show no names are not kept. */
int recorder_name_seen(struct recorder *r, const uint8_t *body, size_t len);
/* Body of a QUERIES message. 0 or -EBADMSG. */
int recorder_queries(struct recorder *r, const uint8_t *body, size_t len, uint64_t now_us);
void recorder_event(struct recorder *r, const struct flow_event *ev, uint64_t now_us);
/* One datagram of the event socket: all events in it. */
void recorder_datagram(struct recorder *r, const uint8_t *buf, size_t len, uint64_t now_us);
/* ENOBUFS on the event socket. */
void recorder_events_lost(struct recorder *r, uint64_t now_us);
/* Before the loop sleeps: gaps told, everything written. An error leaves it queued. */
int recorder_flush(struct recorder *r, uint64_t now_us, struct err *e);
bool recorder_pending(const struct recorder *r); /* call recorder_flush() again within a second */
const struct recorder_stats *recorder_stats(const struct recorder *r);
