/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From where resolving and validating begin: root hints and trust anchors, read from this host's files. main.c owns it;
 * what the workers use is a struct dns_roots (filter/view.h) that each snapshot copies.
 *
 *   given trust anchor    the operator's file, or that of the package dns-root-data; never written
 *   STATE/root.key        what libunbound has made of it by RFC 5011; begun anew when the given one changes
 *   STATE/root.given      the given one that root.key was begun from
 */
#pragma once

#include "base/err.h"
#include "dnsd/anchors.h"
#include "filter/view.h"

struct cJSON;
struct roots;

/* CONFIG's members: "state", "rootHints", "trustAnchor", "holdDown", "dnssec", "insecure"; all may be absent. Reads the
 * given files: before confinement, as they may lie where only root can go. Files that are named and cannot be read are
 * errors (resolving would begin elsewhere); those of the system may be missing. */
int roots_new(const struct cJSON *config, struct roots **ret, struct err *e);
struct roots *roots_free(struct roots *r); /* NULL is fine; returns NULL */

/* The folder that must stay writable, or NULL. Borrowed. */
const char *roots_state(const struct roots *r);
/* After confinement: read what RFC 5011 has made of the given anchor, begin it where there is nothing usable. Logs what
 * is wrong with the folder or its files; the given anchor is used then. */
void roots_begin(struct roots *r);
/* Of the file that libunbound keeps; NULL when nothing can be kept. Borrowed. */
const char *roots_kept_file(const struct roots *r);
/* Read the kept file again. 1: the trusted keys are others than before; 0: they are not; negative errno. */
int roots_reread(struct roots *r, struct err *e);

/* As they are now: borrowed, until the next roots_reread(). */
const struct dns_roots *roots_now(const struct roots *r);
const struct anchors *roots_anchors(const struct roots *r);
