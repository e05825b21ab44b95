/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A snapshot with one of everything, for the tests of view.c and verdict.c. */
#pragma once

#include "filter/view.h"

/* Lists: 0 "ads", 1 "threats", 2 "safe" (of safe search; a test that needs its rules makes them). View 0: filtered; 1:
 * no filter. */
static const char *const sample_lists[] = {
	"||ads.example^\n||tracker.example^\nexact.example\n||cname.example^\n@@||good.ads.example^\n",
	"||threat.example^\n||ads.example^\n",
};

static const char sample_views[] =
	"{\"generation\": 41, \"lists\": [\"ads\", \"threats\", \"safe\"],"
	" \"views\": ["
	"  {\"filter\": \"/dns/filters/0\", \"route\": 0, \"lists\": [0, 1], \"safe\": [2],"
	"   \"block\": [\"||own.example^\", \"plain.example\"],"
	"   \"allow\": [\"||cdn.ads.example^\", \"||nice.own.example^\", \"||denied.example^\"],"
	"   \"blockMode\": \"null\", \"resolveFirst\": true, \"flows\": true, \"queries\": \"full\","
	"   \"grants\": [0, 2], \"denies\": [1]},"
	"  {\"filter\": null, \"route\": 0, \"lists\": [], \"block\": [], \"allow\": [], \"blockMode\": \"custom\","
	"   \"blockAddrs\": [\"2001:db8::1\"], \"blockTtl\": 60, \"blockReason\": \"filtered\","
	"   \"resolveFirst\": false, \"flows\": false, \"queries\": \"off\", \"grants\": [], \"denies\": []}],"
	" \"rules\": ["
	"  {\"mark\": 4711, \"pos\": \"/grants/0\", \"line\": 9, \"names\": [\"deb.debian.org\", \"*.github.com\"]},"
	"  {\"mark\": 4712, \"pos\": \"/denies/1\", \"line\": 14, \"names\": [\"denied.example\", "
	"\"*.denied.example\"]},"
	"  {\"mark\": 4713, \"pos\": \"/grants/2\", \"line\": 11, \"names\": [\"*.github.com\"]}],"
	" \"clients\": ["
	"  {\"addr\": \"100.64.0.9\", \"device\": \"pc\", \"view\": 1},"
	"  {\"addr\": \"fd00::7\", \"device\": \"tv\", \"view\": 0},"
	"  {\"addr\": \"100.64.0.7\", \"device\": \"tv\", \"view\": 0}],"
	" \"routes\": [{\"upstreams\": [{\"kind\": \"recursive\"},"
	"  {\"kind\": \"tls\", \"addr\": \"9.9.9.9\", \"port\": 853, \"tlsName\": \"dns.quad9.net\"}],"
	" \"splits\": ["
	"  {\"suffix\": \"example\", \"upstreams\": [{\"kind\": \"udp\", \"addr\": \"10.8.0.53\", \"port\": 53}]},"
	"  {\"suffix\": \"corp.example\", \"upstreams\": [{\"kind\": \"udp\", \"addr\": \"10.8.0.54\", \"port\": "
	"53}]}]}],"
	" \"records\": ["
	"  {\"name\": \"nas.home.arpa\", \"addr\": \"192.168.1.20\"},"
	"  {\"name\": \"a.home.arpa\", \"addr\": \"192.168.1.1\"},"
	"  {\"name\": \"nas.home.arpa\", \"addr\": \"fd00::20\"},"
	"  {\"name\": \"own.example\", \"addr\": \"192.168.1.2\"}]}";
