/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of the log that have a message id, by which journalctl finds them
 * (MESSAGE_ID=...) and systemd/vmfreq.catalog explains them (journalctl -x).
 *
 * An id never changes its meaning: a new event gets a new one (systemd-id128 new), its entry in the
 * catalog and its line in the daemon's man page. tests/events.sh holds all three together, and the
 * catalog's @FIELD@s to what the calls of log_event() send. */
#pragma once

/* -- both daemons -- */
#define EVENT_STARTED	      "a3eedc67145f446ab724e34c743869cd"
#define EVENT_STOPPED	      "7d000e98009a41dcb846c63d3394a93d"
#define EVENT_START_FAILED    "ca0bbb5f5d194627bc3af95ddd323dfe"
#define EVENT_RESTORED	      "2d3b4074193e4353bb04d178643bdab1"
#define EVENT_RESTORE_FAILED  "cad9eb5ee9ff476e9a25ecc71c36f907"
#define EVENT_CONFIG_WRONG    "57be9dbfb42e49eea472addbb9a98f2a"
#define EVENT_CONFIG_REJECTED "50ec7b633eca45c5849c03d543c4313f"
#define EVENT_CONFIG_RELOADED "b8192acf4d7d45d1980801c0e63f2dc9"
#define EVENT_CONCERN	      "8fa538de5cae4a03864548c07f774c95"
#define EVENT_CONCERN_GONE    "b00142eed1e5489a8c5c60f90646c857"
#define EVENT_NO_BUS	      "17b4ea06c5074c7e96a506a9db274b66"

/* -- vmfreq-hostd -- */
#define EVENT_MEANS		   "b863cbed024e48f080ddfe59c1ff5503"
#define EVENT_NO_MEANS		   "32a723aedb62437ab1a13656ad795dc4"
#define EVENT_LIBVIRT_REACHED	   "e7d4c4eceadd49fa90a6a622a278036e"
#define EVENT_LIBVIRT_LOST	   "5193e0d1d1c64fe4935a039689c3c343"
#define EVENT_DOMAIN_APPEARED	   "53bac6ccb3ab43cfb006099d97c7eb32"
#define EVENT_DOMAIN_WITHOUT_VSOCK "6e0ba987965a4b22a948ea0b9deba30f"
#define EVENT_DOMAIN_GONE	   "c9ffb308e8004d8b8579401c356649e3"
#define EVENT_DOMAIN_LIMITED       "bc448eff691e405da7a0c077d5596e22"
#define EVENT_DOMAIN_RELEASED      "caf36d46b2c346b6abd9c244f5ef5f2e"
#define EVENT_DOMAIN_RESUMED       "45ba74845d374279ab6f9d84fe5d3cd1"
#define EVENT_GUEST_CONNECTED	   "51f7476de50043d58d455f739a20d656"
#define EVENT_GUEST_DISCONNECTED   "1290cf0660524deabd8a402ed4735357"
#define EVENT_GUEST_REFUSED	   "6b7ac28b51e34a8d81c7b91c3803eb2a"
#define EVENT_GUEST_REPLACED	   "ec5a9faa57734a31ba9cd9947572e6da"
#define EVENT_GUEST_SILENT	   "c009a24d73e64d5f9ef0789c9529c4b9"
#define EVENT_GUEST_BACK	   "3b0fc46335134d7280ee87fee147e328"
#define EVENT_THREADS_MISSING	   "3208d8331cb3414ca93e0689560e4e14"
#define EVENT_GUEST_MISFIT	   "4c28179394fa499ca6feda5a02b509df"
#define EVENT_FLOOR_TAKEN	   "e6fa5076fac2446c9a5e6dd9cd377fc0"
#define EVENT_CEILING_TAKEN	   "af3fcd6c474c4caaa423f1272a666518"
#define EVENT_CPUS_TAKEN	   "18fc7c5a4c1b41999bad646874c99b67"
#define EVENT_WRITE_FAILED	   "d34b6685ba074bb5bbd343a29542c36d"
#define EVENT_WRITE_RECOVERED	   "bed9e995cd9a485b9659e5156b047d62"
#define EVENT_LIMITS_DAMAGED	   "f6648b143239458286994161508e4ab6"
#define EVENT_LEDGER_DAMAGED	   "de537a8b8c1c498589fdb3b1aa188dfa"

/* -- vmfreq-guestd -- */
#define EVENT_HOST_CONNECTED   "e0e31231b79a498c8547d4d83b705b87"
#define EVENT_HOST_LOST	       "b2c0e0ce70d546fda9ad8d48e52f5fc0"
#define EVENT_HOST_REFUSES     "722610fa8f43407da59c45c6facffb82"
#define EVENT_SIGNAL	      "14ab6ce467414eefa30431a4b15a463c"
#define EVENT_SAMPLE_FAILED    "6cc28edd8bc54ec8b988e8417a06bbd0"
#define EVENT_SAMPLE_RECOVERED "936bddd0282e40d8b06f63a00572bc54"
#define EVENT_CPUFREQ	       "66bfbedb79ee47e6b12969c74c7a30b0"
#define EVENT_GOVERNOR_TAKEN   "f2ed2ea60489465f8fa3a4027cc1dbfd"
#define EVENT_SPEED_FAILED     "1376f8b4c19b4832b526095ff89139a8"
#define EVENT_SPEED_RECOVERED  "3ba1f26150bb42e1b413a7d7d78e05b1"
