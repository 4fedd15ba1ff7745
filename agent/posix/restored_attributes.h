// Giving what was restored its owner, extended attributes, mode and times.
//
// The order matters: a change of owner takes the setuid bits and capabilities away, an ACL sets the
// mode, and all of them touch times. So: owner, attributes, mode, times. What is so already is not
// set again, as each of these calls costs a journal entry.
//
// A bit that gives rights to the owner or group (setuid, setgid) is left off when that owner or
// group could not be set.
//
// One attribute that fails does not keep the others from being set. The first failure is returned:
// kPermissionDenied if it is a matter of rights or of what the file system can keep, else the code
// of what went wrong.
#pragma once

#include <sys/stat.h>

#include "agent/entry.h"
#include "agent/posix/target_folders.h"
#include "common/base/result.h"

namespace holdfast::agent {

// The mode to create a file in `folder` with: the final one if the file is in the right hands from
// the beginning, else one that lets nobody in but the owner.
unsigned creation_mode(const TargetFolder& folder, const Entry& entry);

// Of a file or folder open as `fd`, which fstat says `now` of. `inherits_acl`: it was made in a
// folder with a default ACL.
Status set_attributes(int fd, struct stat now, const Entry& entry, bool inherits_acl);
// Takes off what the entry does not have, for a folder that was there before. Labels and
// capabilities (security.*) are left to the system's policy.
void remove_other_xattrs(int fd, const Entry& entry);
// Of a link, fifo, socket or device that was just made, which cannot be opened. kChanged if it is
// no longer what was made.
Status set_attributes_at(const TargetPlace& place, const Entry& entry);

}  // namespace holdfast::agent
