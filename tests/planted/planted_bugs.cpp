#include "tests/planted/planted_bugs.h"

#include <algorithm>
#include <array>

#include "common/base/planted_bug.h"

namespace holdfast {
namespace testing {
namespace {

// In the order of the folders. A name here and none in the source, or the other way round, is a
// fault that the tests of the layers see.
constexpr auto kBugs = std::to_array<PlantedBug>({
    {"call a backup done on W-1 nodes"},
    {"do not ask whether a node is prepared"},
    {"leave a node behind"},
    {"commit when W-1 are prepared"},
    {"take a refused commit for an acknowledged one"},
    {"take a file of the same inode for unchanged"},
    {"lose the last entry of a batch"},
    {"send beyond the window"},
    {"take any reply for the oldest call's"},
    {"follow a link in a restore", "TargetFoldersEscape.*"},
    {"say nothing of a file that cannot be restored"},
    {"write every piece to the beginning of its file"},
    {"commit in a repair without copying"},
    {"send lists in a repair before what is below them"},
    {"say nothing of a rollback"},
    {"hand out an object without looking at its id", "FrameOpening.*"},
    {"use a nonce again"},
    {"go on with the key of an earlier run"},
    {"skip the sync of a temporary file", "NodeCrashPoints.TheFolder*"},
    {"skip the sync of a renamed file's folder", "NodeCrashPoints.TheFolder*"},
    {"let a connection wait for any number of syncs"},
    {"stay read-only for good"},
    {"let who may only append read"},
    {"take an older charter", "NodeCharters.*"},
    {"give the vault to who may only append"},
    {"commit without the root"},
    {"believe a manifest without its signature"},
    {"forget what a known manifest needs", "NodeCommits.TheSameManifest*"},
    {"acknowledge a commit before its sync"},
    {"list the snapshots of others to who may only append"},
    {"use an invitation for any number of repositories", "NodeCrashPoints.Invitations*"},
    {"believe a frame without its signature"},
    {"believe an agent's number"},
    {"take a list whose refs are absent"},
    {"do not mark the lists above damage"},
    {"call a list complete at the first arrival"},
    {"give a record without looking at its checksum"},
    {"scan records without their checksums"},
    {"forget what lies behind the checkpoint"},
    {"trust an index of other segments", "StoreRecovery.AnIndex*"},
    {"index what may be in the page cache alone", "StoreCrashPoints.Opening*"},
    {"index what a failed sync left in the page cache", "StoreCrashPoints.AFailedSync*"},
    {"take what lies behind a gap for a torn tail"},
    {"take a failed append for a good one", "StoreErrors.NothingIsPromised*"},
    {"forget that the sync of a cut failed", "StoreFaults.ASyncBehind*"},
    {"leave what a failed sync gives up", "StoreErrors.NothingIsLost*"},
    {"skip the sync of a segment"},
    {"skip the sync of the segments' folder"},
    {"write the index before the segments are synced", "StoreCrashPoints.Committing*"},
    {"take a failed sync for a good one"},
    {"keep the entries that a failed sync gives up"},
    {"keep the manifests that a failed sync gives up"},
    {"call a disk clean that was not read"},
});

std::string_view planted;

}  // namespace

std::span<const PlantedBug> planted_bugs() { return kBugs; }

const PlantedBug* find_planted_bug(std::string_view name) {
  const auto found = std::ranges::find(kBugs, name, &PlantedBug::name);
  return found == kBugs.end() ? nullptr : &*found;
}

void plant(const PlantedBug& bug) { planted = bug.name; }

}  // namespace testing

bool is_planted(std::string_view name) { return name == testing::planted; }

}  // namespace holdfast
