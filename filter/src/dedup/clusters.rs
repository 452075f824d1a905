//! Joins candidates whose true similarity reaches the threshold to clusters, of which the first document is kept.

use std::io;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::minhash::jaccard;
use crate::hash::mix;

/// A pair of documents that was joined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The earlier document.
    pub a: u32,
    /// The later document.
    pub b: u32,
    /// Their Jaccard similarity.
    pub similarity: f64,
}

/// A cluster of duplicates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// The documents, in order; the first one is kept.
    pub documents: Vec<u32>,
    /// The pairs that joined them: one fewer than documents.
    pub links: Vec<Link>,
}

/// The result of [`cluster`].
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// The representative of each document: the first document of its cluster.
    roots: Vec<u32>,
    links: Vec<Link>,
    /// The number of pairs whose similarity was computed.
    pub n_compared: u64,
}

impl Clusters {
    /// One cluster per document.
    pub fn new(n_documents: usize) -> Self {
        Self { roots: (0..n_documents as u32).collect(), links: Vec::new(), n_compared: 0 }
    }

    fn root(&mut self, mut document: u32) -> u32 {
        while self.roots[document as usize] != document {
            let next = self.roots[document as usize];
            self.roots[document as usize] = self.roots[next as usize];
            document = next;
        }
        document
    }

    fn join(&mut self, a: u32, b: u32, similarity: f64) {
        let (first, second) = (self.root(a), self.root(b));
        if first != second {
            // The smaller number is the root, so that the first document of a cluster is kept.
            self.roots[first.max(second) as usize] = first.min(second);
            self.links.push(Link { a: a.min(b), b: a.max(b), similarity });
        }
    }

    /// The document that is kept instead of this one; itself if it is kept.
    pub fn kept(&mut self, document: u32) -> u32 {
        self.root(document)
    }

    /// All clusters of at least two documents, the largest first.
    pub fn clusters(&mut self) -> Vec<Cluster> {
        let mut by_root: FxHashMap<u32, Cluster> = FxHashMap::default();
        for document in 0..self.roots.len() as u32 {
            let root = self.root(document);
            if root != document {
                let new = || Cluster { documents: vec![root], links: Vec::new() };
                by_root.entry(root).or_insert_with(new).documents.push(document);
            }
        }
        for link in std::mem::take(&mut self.links) {
            let root = self.root(link.a);
            if let Some(cluster) = by_root.get_mut(&root) {
                cluster.links.push(link);
            }
            self.links.push(link);
        }
        let mut clusters: Vec<Cluster> = by_root.into_values().collect();
        clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.documents.len()), cluster.documents[0]));
        clusters
    }
}

/// Joins all pairs of documents that share a band hash and are similar enough. `buckets` delivers pairs of a band hash and
/// a document, in parts that each hold all documents of their hashes; `shingles` returns a document's set.
///
/// Pairs that are already in one cluster are not compared again, so a cluster of n equal documents costs n comparisons;
/// the clusters are those of comparing all pairs.
///
/// # Errors
/// When a set cannot be read.
pub fn cluster(
    n_documents: usize,
    parts: impl IntoIterator<Item = io::Result<Vec<(u64, u32)>>>,
    threshold: f64,
    mut shingles: impl FnMut(u32) -> io::Result<Arc<[u64]>>,
) -> io::Result<Clusters> {
    let mut joiner = Joiner { clusters: Clusters::new(n_documents), twins: FxHashSet::default(), threshold };
    for part in parts {
        let mut entries = part?;
        entries.sort_unstable();
        for bucket in entries.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1) {
            joiner.join_bucket(bucket, &mut shingles)?;
        }
    }
    Ok(joiner.clusters)
}

type Member = (u32, Arc<[u64]>);

struct Joiner {
    clusters: Clusters,
    /// Documents whose set equals that of an earlier document, which is in the same buckets and stands for them.
    twins: FxHashSet<u32>,
    threshold: f64,
}

impl Joiner {
    fn join_bucket(
        &mut self,
        bucket: &[(u64, u32)],
        shingles: &mut impl FnMut(u32) -> io::Result<Arc<[u64]>>,
    ) -> io::Result<()> {
        // The members of each cluster in this bucket.
        let mut groups: Vec<Vec<Member>> = Vec::new();
        let mut by_set: FxHashMap<u64, Member> = FxHashMap::default();
        for &(_, document) in bucket {
            if self.twins.contains(&document) {
                continue;
            }
            let set = shingles(document)?;
            let (twin, twin_set) = by_set.entry(set_hash(&set)).or_insert_with(|| (document, Arc::clone(&set)));
            if *twin != document && **twin_set == *set {
                self.clusters.join(*twin, document, 1.0);
                self.twins.insert(document);
                continue;
            }
            groups = self.add(groups, (document, set));
        }
        Ok(())
    }

    /// Adds a document to the groups of a bucket: joins it with every group that has a similar member.
    fn add(&mut self, groups: Vec<Vec<Member>>, (document, set): Member) -> Vec<Vec<Member>> {
        let mut others = Vec::with_capacity(groups.len() + 1);
        let mut joined = Vec::new();
        for mut group in groups {
            if self.clusters.root(group[0].0) != self.clusters.root(document) {
                let similar = group.iter().find_map(|(other, other_set)| {
                    self.clusters.n_compared += 1;
                    let similarity = jaccard(other_set, &set);
                    (similarity >= self.threshold).then_some((*other, similarity))
                });
                let Some((other, similarity)) = similar else {
                    others.push(group);
                    continue;
                };
                self.clusters.join(other, document, similarity);
            }
            joined.append(&mut group);
        }
        joined.push((document, set));
        others.push(joined);
        others
    }
}

fn set_hash(set: &[u64]) -> u64 {
    set.iter().fold(set.len() as u64, |hash, &item| mix(hash ^ item))
}
