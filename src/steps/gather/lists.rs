//! Words of questions that a log does not have: of speech, of staying, and those with which people ask.

use crate::prompt::english::{ASKING, stems};
use std::{collections::HashSet, sync::LazyLock};

/// Words about speech: the answer lies in what was heard.
pub(super) const SPEECH: &str = "say said says tell told talk talked speak spoke spoken hear heard words word promise promised promises \
    introduce introduced name names meet met call called ask asked reason";
/// Words about getting to know somebody, and the phrases of somebody who says a name.
pub(super) const MEETING: &str = "meet met introduce introduced name names person persons people";
pub(super) const INTRODUCTIONS: [&str; 5] = ["my name is", "i am ", "i'm ", "nice to meet", "call me "];
/// Words of speech that speech itself holds.
pub(super) const PLEDGES: &str = "promise promised promises agree agreed";
/// Words of being somewhere, which a log does not write.
pub(super) const STAY: &str = "stay spend visit enter come go get be head pass reach";
/// More words with which people ask, and which name nothing that a camera could have seen. They count only if the log has them.
pub(super) const GENERIC: &str = "object item view sight video recording somewhere total altogether overall entire whole add sum amount point purpose themself themselves \
    different distinct order quite sure actually exactly precisely certain separate introduction exact precise approximately roughly bit \
    kind sort particular specific specifically rundown overview route remark comment sentence phrase question answer front visible appear \
    appeared notice noticed spot spotted manage managed happen occur occurred occasion occasions instance instances event events situation \
    period interval span duration length while meantime course throughout anytime sometime someday currently recent latest previous earlier \
    later finally eventually initially originally afterwards beforehand straight directly immediately shortly soon quickly possible \
    possibly maybe perhaps probably likely likewise well fine great nice good bad okay honest honestly really truly simply basically \
    literally generally usually normally mostly mainly especially particularly forget forgot forgotten recollect recollection mind idea \
    guess wonder wondering curious interested interest help helped able unable try tried trying need needed like liked love prefer mean \
    meant matter relevant information info detail details fact facts report reported repeat repeated mention describe described description \
    explain explained inform find found search searched detect determine identify identified confirm verify true false correct right wrong \
    tally footage wearer summary summarise summarize everything anything nothing something folk name named surrounding surroundings nearby \
    around nobody everybody kindly thank thanks dear hey hello now then next ago already yet again twice often rarely frequently ever never \
    once quarter several various multiple single only just alone together each every either neither both same other another remaining left \
    taken took take takes taking had having got gotten getting went done doing does did made make makes making put puts putting kept keep \
    keeps keeping let lets begin begun start ended finish finished continue continued engage engaged busy occupied spend spent pass passed \
    use used using go going gone come came coming visit visited arrive arrived reach reached enter entered leave leaving stay stayed head \
    headed sit sat stand stood wait waited hang hung linger lingered away";

/// The stems of some lists.
pub(super) struct QuestionStems {
    pub(super) asking: HashSet<String>,
    pub(super) stay: HashSet<String>,
    pub(super) generic: HashSet<String>,
}

pub(super) static LISTS: LazyLock<QuestionStems> =
    LazyLock::new(|| QuestionStems { asking: stems(&[ASKING]), stay: stems(&[STAY]), generic: stems(&[GENERIC]) });

/// Words for somebody whom one meets.
pub(super) const PERSONAL: &str = "guy girl boy lady gentleman woman man fellow stranger friend";
