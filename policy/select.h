/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selectors to devices and addresses: the compiler's directory of who is who. */
#pragma once

#include "policy/compile.h"

/* Devices are numbered by their first address (then by name), so that their order in the file means nothing. */
struct directory {
	const struct doc_policy *policy;
	const struct compile_env *env;
	const struct doc_device **devices;
	uint32_t n_devices;
	uint32_t n_words;	      /* of a set of devices */
	const uint64_t *active;	      /* set: not quarantined, not expired */
	const struct dir_addr *addrs; /* all devices' addresses, sorted */
	uint32_t n_addrs;
	const uint32_t *first_source; /* of each device; one more at the end */
	const uint32_t *device_of;    /* of each source */
	uint32_t n_source_words;      /* of a set of sources */
	const uint64_t *active_sources;
	const struct dir_name *users; /* (user, device), sorted */
	uint32_t n_users;
	const struct dir_name *tags; /* (tag, device), sorted */
	uint32_t n_tags;
	const struct ip_range *open; /* what wide destinations cover: everything that is not guarded */
	uint32_t n_open;
	const struct ip_range *internet; /* autogroup:internet as Tailscale defines it, for denies */
	uint32_t n_internet;
	const struct ip_range *routed; /* active devices' addresses and approved routes */
	uint32_t n_routed;
	const struct ip_range *cut; /* addresses of devices that are not active */
	uint32_t n_cut;
};

/* What packets come from: one address of one device. A rule that names addresses concerns those and not the device's
 * others, so rules are about sources. They are numbered device by device, .n_addrs in all. */
struct dir_addr {
	struct ip_addr addr;
	uint32_t device, source;
};

struct dir_name {
	const char *name;
	uint32_t device;
	uint32_t end; /* of those with the same name: index of the first behind them */
};

/* A growing list of ranges; .items with realloc(), released with range_list_done(). */
struct range_list {
	struct ip_range *items;
	uint32_t n, cap;
};

void range_list_done(struct range_list *l);
int range_list_add(struct range_list *l, const struct ip_range *ranges, uint32_t n); /* 0 or -ENOMEM */

/* A set of devices (or other small numbers), as bits. */
static inline bool dev_set_has(const uint64_t *set, uint32_t device)
{
	return (set[device / 64] >> (device % 64) & 1) != 0;
}

static inline void dev_set_add(uint64_t *set, uint32_t device)
{
	set[device / 64] |= UINT64_C(1) << (device % 64);
}

/* In @mem, which is also where the sets of devices come from. @p, @d, @env: kept. 0 or -ENOMEM. */
int directory_new(struct arena *mem, const struct doc_policy *p, const struct doc_devices *d,
		  const struct compile_env *env, struct directory **ret);
/* Borrowed; NULL when there is no such group. */
const struct doc_group *directory_group(const struct directory *dir, const char *name);
/* Add the devices that @sel means to @set, whatever their state: by an address, whoever has it. */
void directory_select(const struct directory *dir, const struct selector *sel, uint64_t *set);
/* Add the sources that @n selectors mean to @set, whatever their devices' state. 0 or -ENOMEM. */
int directory_select_sources(const struct directory *dir, const struct selector *sels, uint32_t n, uint64_t *set);
/* Add all sources of @devices to @set; all devices of @sources to @set. */
void directory_sources(const struct directory *dir, const uint64_t *devices, uint64_t *set);
void directory_devices(const struct directory *dir, const uint64_t *sources, uint64_t *set);
/* Addresses of a destination: those that it names, and those that guards narrow. */
struct dst_ranges {
	struct range_list named, wide;
};

/* Add the addresses that @sel means as a destination; none for autogroup:self, which depends on who asks. @narrow: the
 * LAN guard holds (accepting rules). Not sorted. 0 or -ENOMEM. */
int directory_ranges(const struct directory *dir, const struct selector *sel, bool narrow, struct dst_ranges *ret);

/* Keep of @ranges what is reached through an active device with one of the tags @via. Sorted then. 0 or -ENOMEM. */
int directory_via(const struct directory *dir, const char *const *via, struct range_list *ranges);

/* What is in an ipset with steps, sorted and disjoint; @ret: empty before. 0 or -ENOMEM. */
int steps_resolve(const struct directory *dir, const struct set_step *steps, uint32_t n, struct dst_ranges *ret);
